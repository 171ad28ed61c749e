"""tokens.py [DIR]: makes the fixtures of the test of tokenizers.

Writes beside this script, with the PyPI package tokenizers (0.23.3):

    digits.json  a byte-level BPE tokenizer.json, trained on a few of the texts, so
                 that many bytes have no token
    spaces.json  one of SentencePiece's kind, with byte fallback
    tokens.json  texts, and what these tokenizers and variants of them make of them

With DIR, the Hugging Face directory of SmolLM2-135M, tokens.json also has what its
tokenizer makes of the texts; without, what was there stays.
"""
import json
import os
import sys

from tokenizers import AddedToken, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

here = os.path.dirname(os.path.abspath(__file__))

TRAINING = """The king and the queen lived in the castle near the river; in 1812 the river froze.
She said: "I'll wait, won't you?" They've read 3,141 books, and it's 10 o'clock.
    def add(a, b):\n        return a + b  # 25 per cent\n
Übermut tut selten gut, sagte der König zur Königin. L'été, à Noël, déjà vu.
Привет, мир! Ещё раз: привет.  Γειά σου Κόσμε. 你好，世界。 こんにちは世界 안녕하세요
""".splitlines(keepends=True)

TEXTS = [
    "", " ", "  ", "a", " a", "a ", "  a  b   c    ", "The king and the queen",
    "The capital of France is", "Hello, world!", "HELLO WORLD", "Once upon a time",
    "I'll, you're, he's, they've, don't, I'm, I'd", "I'LL YOU'RE HE'S", "rock 'n' roll's 'tis", "'s't're've'm'll'd", "it''s", "o\u2019clock isn\u2019t",
    "camelCase snake_case kebab-case SCREAMING_CASE", "a.b.c/d\\e:f;g", "foo(bar[baz]{qux})", "x==y!=z<=w>=v&&u||t", "...", "…", "--- ___ *** ###", "?!?!",
    "https://example.com/a?b=c&d=%20#e", "user@example.com", "C:\\Users\\me\\file.txt", "$9.99 €5 £7 ¥100 ₹20", "50% ‰ № §", "“quoted” ‘single’ «guillemets» „low“",
    "def f(x):\n\treturn x ** 2\n", "if (a) {\r\n  b();\r\n}\r\n", "<html>\n  <body>\n</html>", "{\"key\": [1, 2.5, null]}", "SELECT * FROM t WHERE id = 42;",
    # digits and other numbers
    "0", "7", "42", "2024", "1234567890", "3.14159", "1,000,000", "a1b2c3", "x86_64", "v1.2.3-rc4", "007", "1st 2nd 3rd", "10:30", "2024-11-29", "1e-5", "0x1F", "½ ¾ ⅓", "x² y³ 10⁻⁵", "H₂O",
    "Ⅷ ⅻ ⅿ", "① ② ⑩ ⓪ ❶", "٠١٢٣٤٥٦٧٨٩", "۱۲۳", "०१२३", "০১২", "௧௨௩", "๑๒๓", "០១២", "１２３４", "𝟏𝟐𝟑 𝟘", "一二三四五", "〇〇七", "㊀㊁ ㈠", "൧൰", "፩፪፫", "𒐀𒐁", "𐄇𐄈", "5５٥५", "12 34  56", "1 2 3", " 1", "1 ", "ab12cd34", "٣.١٤", "100kg", "９９", "²³", "a²b", "4️⃣",
    # spaces
    "\t", "\n", "\r", "\r\n", "\n\n\n", "\t\t\ta", "a\tb\tc", " \t \n \r ", "a\n b\n  c\n   d", "line\n", "\nline", "two\n\nparagraphs", "trailing   ", "   leading", "a\u00a0b", "\u00a0\u00a0", "a\u2003b\u2002c\u2009d",
    "a\u3000b", "\u2028\u2029", "a\u0085b", "a\u000bb\u000cc", "\u1680\u180e", "\u200b\u200c\u200d", "\ufeffBOM", "a\u202fb\u205fc", "a \u00a0 b", "\n \n \n", "x  \n  y", "   \n", "\u2007\u2008\u200a", "\x1c\x1d\x1e\x1f",
    # scripts
    "Füße über Straßen", "naïve café résumé", "Ångström Ærø Øst Þór Ðað", "Zażółć gęślą jaźń", "Příliš žluťoučký kůň", "İstanbul ığdır", "Tiếng Việt rất đẹp", "Ọjọ́ rere", "ĳ ﬁ ﬂ ﬃ ſ",
    "Привет, мир!", "Съешь же ещё этих мягких", "Українська їжа ґанок", "Српски Ђорђе", "Ελληνικά γλώσσα", "ἀρχὴ σοφίας", "Հայերեն լեզու", "ქართული ენა", "עברית שפה יפה", "שָׁלוֹם", "العربية لغة جميلة", "السَّلامُ", "فارسی زبان", "اردو",
    "हिन्दी भाषा", "नमस्ते दुनिया", "বাংলা ভাষা", "ਪੰਜਾਬੀ", "ગુજરાતી", "ଓଡ଼ିଆ", "தமிழ் மொழி", "తెలుగు", "ಕನ್ನಡ", "മലയാളം", "සිංහල", "ภาษาไทย", "ພາສາລາວ", "བོད་ཡིག", "မြန်မာဘာသာ", "ភាសាខ្មែរ", "አማርኛ", "ᏣᎳᎩ", "ᐃᓄᒃᑎᑐᑦ", "ᠮᠣᠩᠭᠣᠯ", "ⴰⵎⴰⵣⵉⵖ", "ߒߞߏ", "ދިވެހި",
    "你好，世界。", "汉字漢字", "日本語のテキスト", "ひらがなカタカナ", "ｶﾀｶﾅ", "한국어 텍스트", "ㄱㄴㄷ ᄀᄁ", "ㄅㄆㄇ", "𠀀𠀁𪜶", "粵語 廣東話", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "𐌰𐌱𐌲 𐍈", "𓀀𓁐", "ꙮ", "🄰🅱",
    # emoji and symbols
    "🙂", "🙂🙂", "a🙂b", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇫🇷", "❤️ ❤", "☺︎☺️", "🤷🏻‍♀️", "🧑‍🚀 🚀", "→ ← ↑ ↓ ⇒", "∀x∈ℝ: x²≥0", "∑∫√∞≈≠", "│┌┐└┘█▓", "♔♕♖ ♪♫", "™®©", "🂡🀄",
    # combining marks and the like
    "e\u0301 vs é", "a\u0300\u0301\u0302\u0303", "Z\u0335\u0321a\u0334", "\u0301alone", "n\u0303o", "\u202eright to left\u202c", "\u2066isolate\u2069", "\u00adsoft\u00adhyphen", "a\ufe0fb", "\U000e0041\U000e007f", "\ufff9\ufffa\ufffb", "\ufffd", "\ue000\uf8ff", "\U0010fffd", "\uffff\ufffe", "\U0001fffe",
    # bytes without a token, which leave no gap
    "\x00", "\x01\x02\x03", "a\x04b", "a\x06b", "th\x04e", "the\x06 king", "\x04", "\x04\x06", " \x04 a", "a \x04b", "king\x04\x06\x07queen", "\x7f", "del\x7fete", "\x1b[2J", "a\x08b", "1\x042", "\x0e\x0f\x10\x11", "\x80\x9f", "tab\x04\tend", "q\x04u\x06e\x04e\x06n",
    # added tokens
    "<|im_start|>", "<|im_start|>user\nHello<|im_end|>\n", "a<|im_start|>b", "king<|im_end|>queen", " <|im_start|> ", "<|im_start|><|im_end|>", "<|im_start|", "<|im_start|<|im_start|>", "the <|endoftext|>\n\n", "line<|im_end|>\nnext", "<|IM_START|>",
    "<|im_start|>1234<|im_end|>", "12<|im_start|>34", "a king</s>the queen", "<s>the king</s>", "</s>", "</s> the", "the</s> 12",
    "<left>", "a  <left>  b", "a\n\t<left>b", "<left><left>", "  <left>", "<right>", "a  <right>  b", "a<right>\n\tb", "<right>  <left>", "<right>  ", "<both>", "a \t<both>\n b", "<left>  <right>  <both>  <left>",
    "word", "a word b", "aword", "worda", "word word", "word_", "word.", "éword", "wordé", "word\u0301", "1word", "word-word", "\u200dword", "(word)", "word<|im_start|>word", "lower case", "LOWER CASE", "lower", "flower caser",
    "<tool>", "<tool_call>", "<tool><tool_call><tool", "<tool_cal", "x<tool>y<tool_call>z",
    # longer
    "The king's 3 daughters (aged 7, 9 and 12) walked 1,200 miles\u2014or so they said\u2014to see the sea.", "  - item 1\n  - item 2\n    - item 2.1\n\n1. one\n10. ten\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", " " * 40 + "x" + " " * 17, "\n" * 9 + "x", "queenqueenqueenqueenthethethe", "= Robert <unk> = \n \n Robert <unk> is an English film , television and theatre actor .",
]
assert len(TEXTS) == len(set(TEXTS)) >= 200

ADDED = [
    AddedToken("<|endoftext|>", special=True), AddedToken("<|im_start|>", special=True), AddedToken("<|im_end|>", special=True),
]
MORE = [
    AddedToken("<left>", lstrip=True, normalized=False), AddedToken("<right>", rstrip=True, normalized=False), AddedToken("<both>", lstrip=True, rstrip=True, normalized=False, special=True),
    AddedToken("word", single_word=True, normalized=False), AddedToken("<tool>", normalized=False), AddedToken("<tool_call>", normalized=False), AddedToken("lower case", normalized=True),
]


def digits():
    t = Tokenizer(BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.train_from_iterator(TRAINING, BpeTrainer(vocab_size=360, special_tokens=ADDED, show_progress=False))
    t.add_tokens(MORE)
    return t


def spaces():
    t = Tokenizer(BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = [AddedToken(s, special=True, normalized=False) for s in ("<unk>", "<s>", "</s>")]
    # The bytes are ordinary tokens of the model, which trainers can't make.
    t.train_from_iterator([s for s in TRAINING if "世" not in s], BpeTrainer(vocab_size=220, special_tokens=special + [f"<0x{b:02X}>" for b in range(256) if b not in (6, 0xF0)], show_progress=False))
    f = json.loads(t.to_str())
    f["added_tokens"] = [a for a in f["added_tokens"] if not a["content"].startswith("<0x")]
    t = Tokenizer.from_str(json.dumps(f))
    t.add_tokens(MORE)
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)])
    return t


def file(name, t):
    text = json.dumps(json.loads(t.to_str()), ensure_ascii=True, separators=(",", ":")) + "\n"
    with open(os.path.join(here, name), "w") as f:
        f.write(text)
    return text


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
DIGITS = '{"type":"Digits","individual_digits":true}'

# Files, and what to replace in them, the same in Python and in Go.
VARIANTS = [
    ("digits.json", "", ""),
    ("digits.json", '"individual_digits":true', '"individual_digits":false'),
    ("digits.json", '"add_prefix_space":false', '"add_prefix_space":true'),
    ("digits.json", '"use_regex":true}]', '"use_regex":false}]'),
    ("digits.json", '"unk_token":null', '"unk_token":"!"'),
    ("digits.json", '"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false', '"unk_token":"!","fuse_unk":true'),
    ("digits.json", '"ignore_merges":false', '"ignore_merges":true'),
    ("digits.json", DIGITS, '{"type":"Split","pattern":{"Regex":%s},"behavior":"Isolated","invert":false}' % json.dumps(LLAMA3)),
    ("digits.json", DIGITS, '{"type":"Split","pattern":{"Regex":%s},"behavior":"Isolated","invert":false},' % json.dumps(LLAMA3) + DIGITS),
    ("spaces.json", "", ""),
    ("spaces.json", '"fuse_unk":true', '"fuse_unk":false'),
    ("spaces.json", '"unk_token":"<unk>"', '"unk_token":null'),
] + [
    ("spaces.json", '"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"\\u2581"},{"type":"Replace","pattern":{"String":" "},"content":"\\u2581"}]},"pre_tokenizer":null',
     '"normalizer":null,"pre_tokenizer":{"type":"Metaspace","replacement":"\\u2581","prepend_scheme":"%s","split":%s}' % (scheme, split))
    for scheme, split in (("always", "false"), ("first", "true"), ("never", "true"))
]

files = {"digits.json": file("digits.json", digits()), "spaces.json": file("spaces.json", spaces())}
out = {"texts": TEXTS, "tokenizers": []}
for n, (name, old, new) in enumerate(VARIANTS):
    text = files[name]
    assert old in text, old
    t = Tokenizer.from_str(text.replace(old, new))
    # The first variant of each file has all texts, others a part that differs.
    step, first = (1, 0) if old == "" else (7, n % 7)
    ids = [t.encode(s, add_special_tokens=False).ids for s in TEXTS[first::step]]
    out["tokenizers"].append({"file": name, "old": old, "new": new, "first": first, "step": step, "ids": ids})
path = os.path.join(here, "tokens.json")
if len(sys.argv) > 1:
    t = Tokenizer.from_file(os.path.join(sys.argv[1], "tokenizer.json"))
    out["smollm2"] = [t.encode(s, add_special_tokens=False).ids for s in TEXTS]
elif os.path.exists(path):
    out["smollm2"] = json.load(open(path)).get("smollm2")
with open(path, "w") as f:
    f.write(json.dumps(out, separators=(",", ":")).replace('{"file"', '\n{"file"').replace('"smollm2"', '\n"smollm2"') + "\n")
print(len(TEXTS), "texts")
