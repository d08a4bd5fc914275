"""Which aspect a sentence speaks of, for the aspects whose words are known; any other aspect takes what it is given."""

from __future__ import annotations

import re

from core.models.extractive.form import listed
from core.models.extractive.lexicon import phrases, words

_WORDS = {
    "service": words(
        """service services staff staffs waiter waiters waitress waitresses server servers bartender bartenders hostess
        hostesses host hosts manager managers management owner owners employee employees cashier cashiers waitstaff
        barista baristas crew team worker workers personnel rude friendly friendliest unfriendly attentive inattentive
        polite courteous helpful hospitality hospitable attitude prompt promptly quick quickly slow slowly wait waits
        waited waiting seated reservation reservations delivery deliver delivers delivered driver serve served tip tips
        refill refills refilled accommodating professional unprofessional knowledgeable welcoming welcomed welcome
        greeted greet apologized apologised ignored minutes minute hour forgot wrong mistake asked told takes took
        rushed customer customers treated treat working phone courtesy efficient efficiently speedy personable"""
    ),
    "price": words(
        """price prices priced pricey pricing pricier cheap cheaper cheapest inexpensive expensive overpriced affordable
        reasonable reasonably value cost costs costly bill dollar dollars bucks buck bargain bargains deal deals
        discount discounts coupon coupons charge charged charges overcharged rip ripoff rip-off wallet pay paid paying
        budget penny money economical steep rupees rs usd cents pricewise price-wise cash credit debit"""
    ),
    "food": words(
        """food foods dish dishes meal meals delicious tasty taste tastes tasted flavor flavors flavorful flavour
        flavours fresh freshly bland spicy menu portion portions cooked overcooked undercooked cuisine appetizer
        appetizers starter starters entree entrees entrée entrées ingredients chicken beef pork lamb duck fish shrimp
        salmon tuna lobster crab steak steaks burger burgers pizza pizzas pasta noodle noodles rice sushi roll rolls
        soup soups salad salads sandwich sandwiches bread cheese egg eggs sauce sauces curry dessert desserts cake
        cakes chocolate wine wines beer beers cocktail cocktails drink drinks martini coffee tea meat meats seafood
        vegetables veggies fries dumplings biryani buffet bagel bagels pastry pastries taco tacos burrito burritos
        pancakes waffles bacon sausage wings ribs bbq seasoned crispy juicy tender greasy soggy yummy pies pie donuts
        cookies fruit juice margaritas salsa chips beans breakfast"""
    ),
    "ambience": words(
        """ambience ambiance atmosphere decor interior interiors music lighting view views patio terrace parking
        location seating vibe cozy romantic"""
    ),
}
_WORDS_KO = {
    "service": phrases(
        """서비스|친절|직원|사장|응대|배달|배송|주문|서빙|종업원|알바|기사|빠르|빨라|빠른|빨리|늦게|늦어|늦었|느려|느리|
    시간|기다|전화|요청|누락|환불|사과|예약|웨이팅|챙겨|포장|도착|안내|설명|손님|리뷰 이벤트"""
    ),
    "price": phrases(
        """가격|가성비|저렴|비싸|비싼|비쌈|비쌉|싸고|싸다|싼|싸요|값|할인|쿠폰|배달비|요금|금액|만원|천원|만 원|
    돈이|돈을|돈도|돈 주|돈주|돈 아|돈아|돈낭|돈 낭|천 원|0원|부담스|아깝|아까|합리|비용"""
    ),
    "food": phrases(
        """맛|음식|메뉴|치킨|고기|국물|소스|면발|튀김|바삭|매콤|달콤|신선|양이|양도|양 많|떡볶이|피자|파스타|돈까스|
    김치|커피|반찬|쫄깃|담백|푸짐|식감|재료|싱싱|짜요|매워|느끼|육즙|순살|닭|밥|찜|족발|보쌈|버거|치즈|양념|국수|냉면|짬뽕|
    짜장|초밥|케이크|빵"""
    ),
    "ambience": phrases("""분위기|인테리어|주차|위치|음악"""),
}
UNNAMED = frozenset(["service"])  # how guests are treated is often told without a word for it
_WORD = re.compile(r"[a-zé]+(?:[-'][a-z]+)?")


def known(part: str) -> bool:
    """Whether the part's words are known."""
    return part in _WORDS


def topics(text: str) -> frozenset[str]:
    """The known aspects that a text speaks of; none for a general remark."""
    said = set(_WORD.findall(text.lower()))
    found = {part for part, own in _WORDS.items() if not own.isdisjoint(said)}
    found |= {"price"} if "$" in text else set()
    if not text.isascii():
        found |= {part for part, own in _WORDS_KO.items() if any(word in text for word in own)}
    return frozenset(found)


def about(text: str, part: str) -> str:
    """The text, or of a mere list ("Great food, friendly staff, low prices.") the entries that speak of the part."""
    entries = listed(text)
    own = [entry for entry in entries if part in topics(entry)]
    if not own or len(own) == len(entries):
        return text
    body = ", ".join(own)
    return f"{body[0].upper()}{body[1:]}."
