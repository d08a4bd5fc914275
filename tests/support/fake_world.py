"""The made-up world of the fake service: workloads, restaurants, reviews, texts. Deterministic, no I/O."""

from __future__ import annotations

import random

from core.base.records import Evidence, Item, Query, Review
from core.base.workload import Part, PartKind, Stage, Workload

HOSTILE = (
    "<script src='https://evil.example/x.js'></script>",
    "<img src=https://evil.example/pixel.png onerror=alert(1)>",
    "![beacon](https://evil.example/beacon.png)",
    "[click me](https://evil.example/phish)",
    "<a href='https://evil.example'>free meal</a><iframe src=https://evil.example></iframe>",
    ":material/bug_report: :red[alert] $\\href{https://evil.example}{x}$",
    '=HYPERLINK("https://evil.example","open")',
    "<svg/onload=fetch('https://evil.example/svg')>",
)
CITIES = ("Seoul", "Busan", "London", "Lisbon", "New York", "Osaka")
CUISINES = ("Korean", "Italian", "Japanese", "Seafood", "Bakery", "Grill")
FIRST = (
    "Copper",
    "Blue",
    "Old Mill",
    "Lantern",
    "Salt",
    "Juniper",
    "North",
    "Harbour",
    "Olive",
    "Maple",
    "달빛",
    "한솔",
)
SECOND = (
    "Kitchen",
    "Table",
    "House",
    "Bistro",
    "Grill",
    "Canteen",
    "Room",
    "Noodles",
    "Bakery",
    "식당",
    "포차",
    "Garden",
)
SENTENCES = {
    "service": (
        "The waiter noticed that my daughter could not have nuts and changed the dish without being asked.",
        "We waited forty minutes for the bill although the place was half empty.",
        "직원분이 아이 의자를 먼저 챙겨 주셔서 감동했어요.",
        "Staff were friendly, but they mixed up two of our orders.",
        "The owner came over to say hello to every table.",
    ),
    "price": (
        "Lunch for two with drinks came to 31 euros, a bargain for this street.",
        "Fourteen dollars for a side of greens is hard to defend.",
        "가격은 조금 비싸지만 양이 많아서 아깝지 않아요.",
        "The set menu is the best value in the neighbourhood.",
    ),
    "food": (
        "The grilled mackerel had crisp skin and was still juicy inside.",
        "Our noodles arrived lukewarm and badly under-seasoned.",
        "국물이 진하고 깔끔해서 매주 생각나요.",
        "Desserts are made in house, and the lemon tart is worth the trip alone.",
        "Everything tasted fresh, from the herbs to the bread.",
    ),
}
SUMMARIES = {
    "service": "Guests describe attentive, friendly staff who handle allergies and children well. At busy times the "
    "wait for the bill grows long, and a few orders were mixed up.",
    "price": "Most reviewers find the set menu good value for the area. Side dishes and drinks are felt to be dear.",
    "food": "The grilled fish and the home-made desserts are praised most often. Noodle dishes divide opinion: some "
    "found them lukewarm or under-seasoned.",
}
TOTAL = (
    "A friendly neighbourhood place that does its fish and desserts very well and looks after families. Choose the set "
    "menu for the best value, avoid the noodle dishes at peak times, and expect a wait for the bill on busy evenings."
)
CARDS = (
    "The Fool",
    "The Magician",
    "The Tower",
    "The Star",
    "The Moon",
    "The Sun",
    "Strength",
    "Justice",
    "The Hermit",
    "Death",
)
PLACES = ("Present", "Challenge", "Past", "Future", "Above", "Below", "Advice", "Surroundings", "Hopes", "Outcome")


def workloads() -> tuple[Workload, Workload]:
    """The restaurant workload and the card reading."""
    return _restaurants(), _cards()


def _restaurants() -> Workload:
    values = tuple(
        Part(name, name.capitalize(), korean, query=Query(name, (f"how is the {name}?",)))
        for name, korean in (("service", "서비스"), ("price", "가격"), ("food", "음식"))
    )
    return Workload(
        id="restaurant-reviews",
        title="Restaurant review summaries",
        title_ko="식당 리뷰 요약",
        description="Three aspects and one total summary for each restaurant, from its reviews.",
        description_ko="식당마다 리뷰에서 세 가지 측면과 종합 요약을 만듭니다.",
        stages=(
            Stage("search", "search", each="aspect", title="Search", title_ko="검색"),
            Stage("aspect_summary", "llm", "aspect", ("search",), "Aspect summary", "측면 요약", max_tokens=160),
            Stage("total_summary", "llm", None, ("aspect_summary",), "Total summary", "종합 요약"),
        ),
        parts={"aspect": PartKind("aspect", values)},
        prompts={},
    )


def _cards() -> Workload:
    return Workload(
        id="celtic-cross",
        title="Celtic cross reading",
        title_ko="켈틱 크로스 리딩",
        description="Ten cards, read in batches of three, then together.",
        description_ko="열 장의 카드를 세 장씩 읽고, 그다음 함께 읽습니다.",
        stages=(
            Stage("card_interpretation", "llm", "card", (), "Card", "카드", batch_size=3),
            Stage("overall_reading", "llm", None, ("card_interpretation",), "Overall reading", "전체 해석"),
            Stage("relationships", "llm", None, ("card_interpretation",), "Relationships", "카드 사이의 관계"),
            Stage("advice", "llm", None, ("overall_reading", "relationships"), "Advice", "조언"),
        ),
        parts={"card": PartKind("card", source="cards")},
        prompts={},
        item_kind="reading",
    )


def restaurants(count: int = 240, *, hostile: bool = False) -> tuple[Item, ...]:
    """`count` restaurants; when hostile, the first ones are named with attack payloads."""
    draw = random.Random(7)
    items = []
    for i in range(count):
        name = f"{draw.choice(FIRST)} {draw.choice(SECOND)}"
        name = HOSTILE[i % len(HOSTILE)] if hostile and i < 24 else name
        fields = {"city": draw.choice(CITIES), "cuisine": draw.choice(CUISINES)}
        items.append(Item(f"r{i:04d}", name, "restaurant", fields, draw.randint(8, 420)))
    return tuple(items)


def readings(count: int = 12) -> tuple[Item, ...]:
    """Card readings; the parts of each are its ten cards."""
    cards = [{"id": f"c{i + 1}", "position": PLACES[i], "card": CARDS[i], "reversed": i % 3 == 0} for i in range(10)]
    questions = ("Should I open a second restaurant?", "올해 이직해도 될까요?", "Is it time to move to the coast?")
    return tuple(
        Item(f"reading-{i + 1}", questions[i % 3], "reading", {"lang": "en", "cards": cards}, 0) for i in range(count)
    )


def evidence(item_id: str, part: str, *, hostile: bool = False) -> tuple[Evidence, ...]:
    """The sentences a search would find for one aspect."""
    sentences = SENTENCES.get(part, ())
    found = []
    for i, told in enumerate(sentences):
        text = f"{told} {HOSTILE[i % len(HOSTILE)]}" if hostile else told
        author = HOSTILE[1] if hostile else ("Kim", "Ana", "J. Moore", "이서연", "Theo")[i % 5]
        found.append(
            Evidence(f"{item_id}-{i // 2}", text, 0.91 - 0.07 * i, i, author, float(5 - i % 4), f"2026-0{i + 1}-14")
        )
    return tuple(found)


def review(item_id: str, review_id: str, *, hostile: bool = False) -> Review:
    """A whole review that holds the sentences `evidence` names."""
    number = int(review_id.rsplit("-", 1)[-1])
    told = [e.text for part in SENTENCES for e in evidence(item_id, part, hostile=hostile) if e.review_id == review_id]
    filler = ("We came on a rainy Thursday.", "Parking nearby is easy.", "We will be back with friends next month.")
    body = " ".join(x for pair in zip(told, filler * 4, strict=False) for x in pair)
    author = HOSTILE[1] if hostile else ("Kim", "Ana", "J. Moore")[number % 3]
    return Review(item_id, "", review_id, f"{filler[0]} {body}", 4.0, f"2026-0{number + 1}-14", author, "en")
