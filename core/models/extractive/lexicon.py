"""Small word lists: what carries no content, what praises and what complains, who speaks. English and Korean.

They only weigh sentences against each other; a word that is missing costs a little quality, never correctness.
"""

from __future__ import annotations

from collections.abc import Mapping


def words(text: str) -> frozenset[str]:
    """The words of a list written as text."""
    return frozenset(text.split())


def phrases(text: str) -> tuple[str, ...]:
    """The phrases of a list written as text, divided by `|`."""
    return tuple(phrase.strip("\n") for phrase in text.replace("\n    ", "").split("|"))


def _by_word(groups: Mapping[str, str]) -> dict[str, str]:
    return {word: group for group, members in groups.items() for word in members.split()}


STOP = words(
    """a about above after again all also am an and any are as at be because been before being but by can cant could
    did do does doing done dont down during each even ever every few for from get gets getting go goes going gone
    got had has have having he her here hers him his how i if im in into is isn it its itself ive just know least
    less let like lot lots made make many me more most much my no not now of off on once one only or other our out
    over own place really restaurant said same say see she should so some something such than that thats the their
    them then there theres these they theyre thing things think this those though through to too two under until
    up upon us very was wasn way we well went were what when where which while who will with without would yes yet
    you your youre always never time times been quite pretty lot super definitely ever also still around bit both
    came come back first day"""
)
POSITIVE = words(
    """good great excellent amazing awesome delicious tasty fantastic wonderful friendly nice best love loved perfect
    fresh helpful attentive courteous polite clean reasonable affordable cheap worth quick fast prompt efficient
    recommend recommended yummy outstanding superb incredible flavorful juicy tender generous pleasant welcoming
    warm cozy beautiful favorite fabulous happy enjoy enjoyed enjoyable delightful professional knowledgeable
    accommodating decent solid impressed fair inexpensive crispy authentic gem top exceptional terrific fun
    satisfied spot-on phenomenal kind sweet personable huge hearty ample timely smooth lovely superior bargain
    steal soft rich value consistent consistently"""
)
NEGATIVE = words(
    """bad terrible horrible awful worst rude slow cold overpriced bland dry disappointing disappointed dirty gross
    poor poorly mediocre disgusting tasteless soggy stale greasy salty undercooked overcooked burnt raw rubbery
    wrong ignored expensive pricey unfriendly unprofessional lacking lacked lousy waste rip-off ripoff nasty
    inedible small tiny skimpy sick mess messed forgot forgotten missing unacceptable inattentive rotten sour
    chewy hard burned subpar meh sucks sucked crap pathetic ridiculous avoid complaint complain complained mistake
    mistakes incompetent indifferent arrogant filthy sticky hair bug roach smell smelled attitude steep costly
    noisy loud crowded inconsistent limited downhill unfortunately lukewarm watery oily worse hate hated
    unorganized disorganized"""
)
NEGATORS = words(
    """not no never isnt wasnt arent werent dont doesnt didnt cant couldnt hardly nothing barely without"""
)
PERSONAL = words(
    """i i'm im i've ive i'd i'll id my me mine myself we we're we've we'd we'll our ours us husband wife boyfriend
    girlfriend son daughter kids mom dad friend friends coworker fiance hubby bf gf"""
)
# A sentence that begins so leaves its "I" unsaid.
IMPLIED_I = words(
    """would will been never had went got came ordered tried used stopped decided didn't couldn't can't won't do
    liked loved haven't wasn't felt found took visited left bought saw just hope hoping wish"""
)
# Stems that mean about the same, so that reviewers agree though they word it differently.
_CONCEPTS = {
    "staff": """staff employee worker waiter waitres server servic manager owner host hostes bartender cashier crew
        barista waitstaff personnel steward bartender hostess crew""",
    "friendly": """friendly nice polite courteou kind warm welcoming helpful attentive accommodating pleasant personable
        sweet hospitable professional""",
    "good": """good great excellent amazing awesome fantastic wonderful best perfect outstanding superb incredible
        fabulou phenomenal terrific exceptional top lovely love loved solid deliciou tasty yummy
        enjoyed liked decent""",
    "taste": "flavorful taste flavor flavour flavoured flavored",
    "price": """price pricing priced cost value money dollar buck inexpensive cheap affordable reasonable reasonably
        budget bill $""",
    "dear": "expensive pricey overpriced costly steep",
    "fast": "fast quick quickly prompt promptly speedy efficient timely",
    "slow": "slow slowly wait waited waiting hour minute forever",
    "rude": "rude unfriendly attitude unprofessional arrogant disrespectful inattentive ignored",
    "bad": """bad terrible horrible awful worst poor lousy gros disgusting nasty disappointing disappointed mediocre""",
    "food": "food dish meal menu cuisine",
    "portion": "portion serving size plate",
    "clean": "clean spotless tidy",
    "wrong": "wrong mistake messed missing forgot incorrect",
}
CONCEPTS = _by_word(_CONCEPTS)

POSITIVE_KO = phrases(
    """맛있|맛나|맛났|친절|좋았|좋아|좋은|좋고|좋네|좋습|좋음|좋다|좋구|빠르|빨라|빨리|빠른|빨랐|최고|만족|추천|저렴|
    푸짐|훌륭|깔끔|굿|부드러|신선|괜찮|착하|착한|든든|넉넉|따뜻|바삭|존맛|꿀맛|가성비|쫄깃|담백|완벽|대박|정성|
    싸고|감동|맛잇|맛집|꼼꼼|깨끗|예쁘|합리"""
)
NEGATIVE_KO = phrases(
    """별로|실망|늦게|늦었|늦어|늦은|늦네|불친절|맛없|비싸|비싼|비쌈|최악|식었|식어|식은|아쉽|아쉬|환불|느리|느려|
    질기|질겨|퍽퍽|느끼|비린|비려|싱거|싱겁|불었|불어터|부족|누락|안왔|안 왔|쏟아|터져|짜요|짜서|짰|짜고|눅눅|
    냄새|머리카락|상한|딱딱|차갑|차가|형편없|후회|다신|다시는|그닥|그저|적어|적은|적네|적었|오래 걸|오래걸|안와|
    황당|짜증|불쾌|엉망|무성의|모자|비추|불편|빠져|빠트|빼먹|잘못|부실"""
)
PERSONAL_KO = phrases(
    """저는|제가|나는|내가|저희|우리|남편|와이프|친구|제 |저도|저의|아이들|아들|딸|신랑|엄마|부모님"""
)
# Thanks, wishes and promises to order again: kind, but nothing is said of the place.
EMPTY_KO = phrases(
    """번창|화이팅|파이팅|감사|수고|잘먹었|잘 먹었|잘먹겠|잘 먹겠|잘먹엇|대박나|시켜먹|
    시켜 먹|먹을께|재주문|또 시|또시|사장님|리뷰|
    주문할게|먹을게|갈게|올게"""
)
# Character pairs of endings and filler words.
STOP_KO = words(
    """어요 아요 네요 니다 습니 했어 었어 았어 해요 어서 아서 는데 지만 에서 으로 입니 있어 있습 하고 해서 너무 정말
    진짜 항상 그냥 하는 했는 했습 었습 았습 었는 았는 이라 이에 에요 예요 어용 세요 하게 하네 하지 고요 구요 데요
    같아 같습 거같 것같 많이 조금 아주 매우 먹었 먹고 시켰 시켜 주문 여기 이번 다음 한번 하여 하면 으면 들어 했네
    였어 였는 이네 인데 이고 역시 엄청 완전 그리 그런 저는 제가 먹어 먹을 라고 에는 까지 부터 보다 처럼 때문 하나
    무너 번에 있네 있고 있는 없이 합니 했다 이다 네용 해용 구용 넘넘 오늘 다른 어제 좀더 더욱 바로 다시 매번 자주
    먹는 먹기 먹으"""
)
PARTICLES_KO = phrases("""에서|으로|까지|부터|이랑|은|는|이|가|을|를|도|에|의|로|와|과|만|랑""")
# What a place has: a sentence with none of these, no opinion and no agreement tells nothing of it.
PLACE = words(
    """table tables seat seats seating room patio terrace bar counter kitchen door window view decor music atmosphere
    ambience ambiance vibe parking lot location street corner neighborhood building bathroom bathrooms restroom toilet
    toilets wifi hours open closed opens closes lunch dinner breakfast brunch weekend weekends crowd crowds line queue
    reservation reservations takeout takeaway delivery drive-thru order orders buffet menu special specials drink drinks
    beer beers wine cocktail cocktails coffee tea juice water dessert desserts cake pastry pastries bread bagel bagels
    sandwich sandwiches burger burgers pizza pasta noodles rice soup salad salads sushi roll rolls taco tacos chicken
    beef pork fish seafood shrimp steak meat vegetarian vegan veggie vegetables fries cheese sauce spice spices spicy
    flavors options choice choices selection variety ingredients cooked grilled fried baked homemade quality quantity
    size sizes tip tips card cash price-range discount coupon deal deals happy-hour kids children family families dog
    dogs pet pets wheelchair accessible local chain store shop shops products appointment hotel rooms"""
)
PLACE_KO = phrases(
    """맛|음식|메뉴|가격|배달|배송|포장|직원|알바|사장|서비스|매장|분위기|인테리어|주차|위치|자리|좌석|테이블|화장실|웨이팅|대기|예약|영업|휴무|국물|고기|
    치킨|닭|피자|파스타|면|밥|소스|반찬|김치|커피|음료|디저트|빵|케이크|샐러드|초밥|회|떡볶이|튀김|찜|탕|찌개|족발|보쌈|버거|감자|치즈|재료|양념|간이|맵|매콤|
    달콤|달달|고소|짭|양이|양도|양은|용량|할인|쿠폰|리필|원이|천원|만원|위생|청결|시간|도착|응대|아이|유아|반려견"""
)
# The first two syllables of a word -> what it is about.
_CONCEPTS_KO = {
    "fast": "빠르 빨리 빨라 빠른 빨랐 빠릅 신속 총알",
    "slow": "느리 느려 늦게 늦었 늦어 늦은 늦네 늦엇 오래",
    "good": """맛있 맛나 맛났 맛잇 맛이 존맛 꿀맛 맛도 맛은 맛좋 좋아 좋았 좋네 좋습 좋고 좋은 좋구 좋음 굿굿 최고 만족
        훌륭""",
    "bad": "별로 맛없 실망 최악 아쉽 아쉬 그닥",
    "kind": "친절",
    "delivery": "배달 배송",
    "portion": "양이 양도 양은 양많 양을 푸짐 넉넉 든든 많고 많아 많네 많습",
    "price": "가격 가성 저렴 비싸 비싼 싸고",
    "clean": "깔끔 깨끗 위생",
}
CONCEPTS_KO = _by_word(_CONCEPTS_KO)
