"""Written text and how it is spoken: the table is the specification."""

import subprocess
import sys
import time

import pytest

from voxclone.text.normalize import RULES, explain, normalize

CASES = {
    "cardinals": {
        "0": "zero",
        "I have 123 apples.": "I have one hundred twenty three apples.",
        "1,234,567": "one million two hundred thirty four thousand five hundred sixty seven",
        "1,000,000,000,000": "one trillion",
        "100000": "one hundred thousand",
        "-5": "minus five",
        "It fell to -12.": "It fell to minus twelve.",
        "−7 below": "minus seven below",
        "007": "zero zero seven",
        "1,5": "one, five",
        "12345678901234567890": "one two three four, five six seven eight, nine zero one two, three four five six, "
        "seven eight nine zero",
        "10000000000": "ten billion",
        "5k": "five thousand",
        "10k people": "ten thousand people",
        "7M users": "seven million users",
        "50B tokens": "fifty billion tokens",
    },
    "ordinals": {
        "1st": "first",
        "2nd place": "second place",
        "the 3rd man": "the third man",
        "22nd": "twenty second",
        "the 19th century": "the nineteenth century",
        "101st": "one hundred first",
        "1,000th": "one thousandth",
    },
    "decimals and fractions": {
        "3.14": "three point one four",
        ".5": "point five",
        "0.05": "zero point zero five",
        "-2.5": "minus two point five",
        "1/2": "one half",
        "3 3/4": "three and three quarters",
        "½": "one half",
        "2½ cups": "two and a half cups",
        "3/4 of them": "three quarters of them",
        "7/8": "seven eighths",
        "2/3": "two thirds",
        "24/7": "twenty four seven",
        "9/11": "nine eleven",
        "50/50": "fifty fifty",
        "6.02e23": "six point zero two times ten to the power of twenty three",
        "10^6": "ten to the power of six",
    },
    "percent": {
        "50%": "fifty percent",
        "3.5 %": "three point five percent",
        "10-20%": "ten to twenty percent",
        "a -1% change": "a minus one percent change",
    },
    "money": {
        "$1": "one dollar",
        "$3.50": "three dollars and fifty cents",
        "$1.01": "one dollar and one cent",
        "$0.99": "ninety nine cents",
        "$1,234.56": "one thousand two hundred thirty four dollars and fifty six cents",
        "$1.5 million": "one point five million dollars",
        "$5M": "five million dollars",
        "$5k": "five thousand dollars",
        "$2bn": "two billion dollars",
        "US$20": "twenty U S dollars",
        "£3.50": "three pounds and fifty pence",
        "€1,000": "one thousand euros",
        "5€": "five euros",
        "¥500": "five hundred yen",
        "-$5": "minus five dollars",
        "$10-20": "ten to twenty dollars",
        "$10–$20": "ten to twenty dollars",
        "$100K/yr": "one hundred thousand dollars per year",
        "$5/month": "five dollars per month",
        "100 USD": "one hundred U S dollars",
        "5¢": "five cents",
        "It cost $5. He paid.": "It cost five dollars. He paid.",
    },
    "dates": {
        "Jan 5, 2024": "January fifth, twenty twenty four",
        "Jan. 5": "January fifth",
        "January 5th": "January fifth",
        "Sept. 3-7": "September third to seventh",
        "5 January 2024": "the fifth of January, twenty twenty four",
        "on the 5th of January": "on the fifth of January",
        "2024-01-05": "January fifth, twenty twenty four",
        "1/5/2024": "January fifth, twenty twenty four",
        "13/5/2024": "May thirteenth, twenty twenty four",
        "12/25/99": "December twenty fifth, nineteen ninety nine",
        "May 2024": "May twenty twenty four",
        "Mon, Jan 5": "Monday, January fifth",
        "It may be 5 or so.": "It may be five or so.",
    },
    "years": {
        "In 1066 he won.": "In ten sixty six he won.",
        "1905": "nineteen oh five",
        "1984": "nineteen eighty four",
        "1900": "nineteen hundred",
        "2000": "two thousand",
        "2007": "two thousand seven",
        "2024": "twenty twenty four",
        "the 1990s": "the nineteen nineties",
        "the 1990's": "the nineteen nineties",
        "the '90s": "the nineties",
        "’90s music": "nineties music",
        "the 1800s": "the eighteen hundreds",
        "the 2000s": "the two thousands",
        "the 2010s": "the twenty tens",
        "in his 30s": "in his thirties",
        "44 BC": "forty four B C",
        "AD 79": "A D seventy nine",
        "500 B.C. was early": "five hundred B C was early",
        "summer of '69": "summer of sixty nine",
    },
    "times": {
        "3:30 pm": "three thirty P M",
        "3:00": "three o'clock",
        "15:00": "fifteen hundred",
        "12:05": "twelve oh five",
        "7 a.m. on Monday": "seven A M on Monday",
        "at 7 a.m. He left": "at seven A M. He left",
        "at 7 a.m.": "at seven A M.",
        "9AM": "nine A M",
        "10am-5pm": "ten A M to five P M",
        "from 9:00–17:00": "from nine o'clock to seventeen hundred",
        "10:15:30": "ten fifteen and thirty seconds",
        "16:9": "sixteen to nine",
        "2h 30m": "two hours thirty minutes",
        "1h30": "one hour thirty minutes",
        "5m30s": "five minutes thirty seconds",
        "45 min": "forty five minutes",
        "5 min. later": "five minutes later",
        "1 hr": "one hour",
    },
    "telephone and codes": {
        "555-1234": "five five five, one two three four",
        "(212) 555-0143": "two one two, five five five, zero one four three",
        "212-555-0143": "two one two, five five five, zero one four three",
        "+1 212 555 0143": "plus one, two one two, five five five, zero one four three",
        "1-800-555-0199": "one, eight zero zero, five five five, zero one nine nine",
        "+44 20 7946 0958": "plus four four, two zero, seven nine four six, zero nine five eight",
        "978-3-16-148410-0": "nine seven eight, three, one six, one four eight four one zero, zero",
        "123-45-6789": "one two three, four five, six seven eight nine",
        "192.168.0.1": "one nine two dot one six eight dot zero dot one",
        "3.11.2": "three point eleven point two",
        "Python 3.11": "Python three point eleven",
        "v2.0": "version two point zero",
    },
    "units": {
        "5 km": "five kilometers",
        "1 km": "one kilometer",
        "3.5 kg": "three point five kilograms",
        "10-15 km": "ten to fifteen kilometers",
        "1/2 km": "one half kilometer",
        "a 5-km run": "a five kilometer run",
        "20°C": "twenty degrees Celsius",
        "68 °F": "sixty eight degrees Fahrenheit",
        "-40°C": "minus forty degrees Celsius",
        "45°": "forty five degrees",
        "60 mph": "sixty miles per hour",
        "100 km/h": "one hundred kilometers per hour",
        "9.8 m/s²": "nine point eight meters per second squared",
        "16 GB": "sixteen gigabytes",
        "16GB": "sixteen gigabytes",
        "2.4 GHz": "two point four gigahertz",
        "50 m²": "fifty square meters",
        "6 ft": "six feet",
        "1 ft": "one foot",
        "5'10\"": "five feet ten inches",
        "5′10″ tall": "five feet ten inches tall",
        'a 6.5" screen': "a six point five inch screen",
        "300 K": "three hundred kelvins",
        "250 ms": "two hundred fifty milliseconds",
        "40°26′46″N": "forty degrees twenty six minutes forty six seconds north",
        "He ran 5 km. Then he slept.": "He ran five kilometers. Then he slept.",
        "a 10-year-old": "a ten year old",
    },
    "abbreviations": {
        "Dr. Smith": "Doctor Smith",
        "Dr. Smith lives on Oak Dr.": "Doctor Smith lives on Oak Drive.",
        "St. Paul lives on Main St.": "Saint Paul lives on Main Street.",
        "Main St. is closed": "Main Street is closed",
        "12 Oak St. in Boston": "twelve Oak Street in Boston",
        "Mr. and Mrs. Jones": "Mister and Missus Jones",
        "Prof. Lee vs. Dr Who": "Professor Lee versus Doctor Who",
        "Gen. Grant met Sen. Sumner": "General Grant met Senator Sumner",
        "e.g. apples, i.e. fruit": "for example apples, that is fruit",
        "apples, pears, etc.": "apples, pears, et cetera.",
        "apples, etc. are good": "apples, et cetera are good",
        "apples, etc. He left": "apples, et cetera. He left",
        "No. 5": "number five",
        "No. He left.": "No. He left.",
        "pp. 10-20": "pages ten to twenty",
        "Fig. 3": "figure three",
        "John Smith Jr. left.": "John Smith Junior left.",
        "John Smith, Sr.": "John Smith, Senior.",
        "Acme Inc. won": "Acme Incorporated won",
        "I live on 5th Ave.": "I live on fifth Avenue.",
        "Smith & Co.": "Smith and Company.",
        "George W. Bush": "George W Bush",
        "J.R.R. Tolkien": "J R R Tolkien",
        "Martin Luther King Jr. Day": "Martin Luther King Junior Day",
        "Mr. T. He left": "Mister T. He left",
        "Plan B. Then": "Plan B. Then",
        "a Ph.D. student": "a P H D student",
        "w/o sugar": "without sugar",
    },
    "capitals": {
        "NASA and the FBI": "NASA and the F B I",
        "CPUs": "C P U's",
        "the CPU's fan": "the C P U's fan",
        "the U.S.A.": "the U S A.",
        "in the U.S. He left": "in the U S. He left",
        "the U.S. Army": "the U S Army",
        "the U.K.'s laws": "the U K's laws",
        "AT&T": "A T and T",
        "MP3": "M P three",
        "Gate B12": "Gate B twelve",
        "H2O": "H two O",
        "COVID-19": "COVID nineteen",
        "an F-16": "an F sixteen",
        "HTML and PDF": "H T M L and P D F",
        "I am NOT going": "I am not going",
        "It is VERY good": "It is very good",
        "HE WAS NOT AN ILL DISPOSED YOUNG MAN": "he was not an ill disposed young man",
        "I SAW A MAN AND HE SAW ME": "I saw a man and he saw me",
        "IN 1905 MR SMITH'S DOG SAW HENRY VIII": "in nineteen oh five mister smith's dog saw henry the eighth",
        "FBI CIA BBC CNN": "F B I C I A B B C C N N",
    },
    "Roman numerals": {
        "Henry VIII": "Henry the eighth",
        "Henry VIII's wives": "Henry the eighth's wives",
        "Elizabeth I was queen.": "Elizabeth the first was queen.",
        "George, I think so.": "George, I think so.",
        "Louis XIV": "Louis the fourteenth",
        "Pope John Paul II": "Pope John Paul the second",
        "Chapter IV": "Chapter four",
        "World War I": "World War one",
        "World War II": "World War two",
        "Rocky IV": "Rocky four",
    },
    "ranges and scores": {
        "10-20": "ten to twenty",
        "10 – 20": "ten to twenty",
        "1990–1995": "nineteen ninety to nineteen ninety five",
        "1990-95": "nineteen ninety to ninety five",
        "won 3-2": "won three to two",
        "A-Z": "A to Z",
    },
    "addresses": {
        "https://example.com/path": "example dot com slash path",
        "See https://example.com/path.": "See example dot com slash path.",
        "www.example.org": "W W W dot example dot org",
        "Go to example.com, now": "Go to example dot com, now",
        "user@example.com": "user at example dot com",
        "john.doe99@mail.co.uk": "john dot doe ninety nine at mail dot co dot U K",
        "@handle": "at handle",
        "@some_user": "at some underscore user",
        "#ThrowbackThursday": "hashtag Throwback Thursday",
    },
    "signs": {
        "#1": "number one",
        "A & B": "A and B",
        "2 + 2 = 4": "two plus two equals four",
        "5 - 3": "five minus three",
        "3 × 4 = 12": "three times four equals twelve",
        "3 x 4 cm": "three by four centimeters",
        "1920x1080": "nineteen twenty by ten eighty",
        "2x faster": "two times faster",
        "6 ÷ 2": "six divided by two",
        "~5": "about five",
        "§ 4": "section four",
        "© 2024": "copyright twenty twenty four",
        "x < y": "x less than y",
        "x <= y > z": "x less than or equal to y greater than z",
        "C++ and C#": "C plus plus and C sharp",
        "he/she": "he slash she",
    },
    "typography": {
        "“Hello,” she said — softly…": "Hello, she said, softly.",
        "it’s": "it's",
        "wait… what": "wait, what",
        "well-known": "well known",
        "(he said) then left": "he said, then left",
        "He said (yes).": "He said, yes.",
        "What?!": "What?",
        "No!!!": "No!",
        "a -- b": "a, b",
        "one\ntwo": "one two",
        "Heading\n\nText": "Heading. Text",
        "*bold* and _it_": "bold and it",
        "ﬁne\u00a0day": "fine day",
        "cafe\u0301": "café",
    },
    "left for G2P": {
        "": "",
        "Hello, world.": "Hello, world.",
        "Hi 😀 there": "Hi 😀 there",
        "a\x07b": "a\x07b",
        "日本": "日本",
    },
}
TABLE = [(written, spoken) for group in CASES.values() for written, spoken in group.items()]


def test_the_table_is_large_enough() -> None:
    assert len(TABLE) >= 200


@pytest.mark.parametrize(("written", "spoken"), TABLE)
def test_spoken_form(written: str, spoken: str) -> None:
    assert normalize(written) == spoken


@pytest.mark.parametrize("written", [written for written, _ in TABLE])
def test_spoken_form_stays(written: str) -> None:
    spoken = normalize(written)
    assert normalize(spoken) == spoken


def test_cases_keep_their_form_inside_a_paragraph() -> None:
    sentences = ["Dr. Smith paid $3.50.", "It was 3:30 pm on Jan 5, 2024.", "NASA won 3-2!"]
    assert normalize(" ".join(sentences)) == " ".join(map(normalize, sentences))


def test_explain_names_the_rules_that_changed_something() -> None:
    changes = {(change.rule, change.before, change.after) for change in explain("Dr. Lee paid $3.50")}
    assert ("title", "Dr.", "Doctor") in changes
    assert ("money", "$3.50", "three dollars and fifty cents") in changes
    assert explain("Hello, world.") == []
    assert {rule for rule, _, _ in changes} <= {rule.name for rule in RULES}


@pytest.mark.parametrize("piece", ["1", ".", "a", "A", "1.", "1,234,", "a.b.", "-", " ", "'", "A B "])
def test_time_is_linear(piece: str) -> None:
    normalize("5")  # loads num2words
    text = (piece * 100_000)[:100_000]
    start = time.process_time()
    normalize(text)
    assert time.process_time() - start < 5  # quadratic time would be minutes


def test_import_is_light() -> None:
    code = "import sys, voxclone.text.normalize; print('num2words' in sys.modules, 'torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["False", "False"]
