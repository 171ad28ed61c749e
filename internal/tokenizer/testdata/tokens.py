"""tokens.py [DIR]: makes the fixtures of the test of tokenizers.

Writes beside this script, with the PyPI packages tokenizers (0.23.3) and, for a table
of characters, sentencepiece (0.2.3):

    digits.json   a byte-level BPE tokenizer.json, trained on a few of the texts, so
                  that many bytes have no token
    spaces.json   BPE of SentencePiece's kind, with byte fallback
    suffix.json   BPE whose pieces know where words begin and end
    bert.json     WordPiece
    unigram.json  Unigram
    level.json    WordLevel
    tokens.json   texts, and what these tokenizers and variants of them make of them
    patterns.json regular expressions, and how they split the texts

Of most there are not the numbers of tokens, but three digits of a checksum for each
text, of the lines: tokens, tokens with those around the text, text from the latter
without special tokens, and with them.

With DIR, a directory with the Hugging Face directories smollm2 and minilm, of
SmolLM2-135M and all-MiniLM-L6-v2, tokens.json also has what their tokenizers make
of the texts; without, what was there stays.
"""
import base64
import io
import json
import os
import sys
import zlib

from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram, WordLevel, WordPiece
from tokenizers.trainers import BpeTrainer, UnigramTrainer, WordLevelTrainer, WordPieceTrainer

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
    # what normalizers change
    "\u0130stanbul \u0131 \u017ft K \u212a \u212b", "\ufb01 \ufb03 \u2460\uff21\uff22 \u3392 \u00bd \ufdfa", "e\u0301e\u0301\u0323 \u1ebf \u0065\u0302\u0301", "\u1112\u1161\u11ab\u1100\u1173\u11af \u1100\u1100\uac00\u11a8", "\r\n\r \n\r", "\ufb01\u0301 \u00a9\u0301 \uff21\u0301",
    "a" + "\u0316\u0301" * 40 + " b", "\u0301" * 70, "q\u0307\u0323 q\u0323\u0307", "\u0915\u094d\u0937\u093f \u0e01\u0e33 \u0b95\u0bca", "\u2126 \u00b5 \u2002\u2003", "``quoted'' ''", "\u0600\u0661 \u06dd1 \u070fa", "\u00c4\u00d6 A\u0308O\u0308 \u01c5\u01c6 \u1e9e", "\u05d0\u05b7 \ufb2e \u0643\u0640\u0651", "\u2e43\u2e52\u061d \u1734\u1715", "\u32ff \ua7f2 \U00010783", "\U0001d15e \u0344 \u0958 \u2adc", "\u2581a \u2581 a\u2581b \u2581\u2581",
    "\u202a\u200fRTL\u200e \u061c\u05e9\u202c", "\ud55c\uae00 \u1112\u1161\u11ab", "\u0e49\u0e33 \u0e40\u0e01\u0e35\u0e22\u0e23\u0e15\u0e34", "\u3042\u3099 \u304c \uff76\uff9e", "a\u0345 \u1fb3 \u03b1\u0345", "\u00a8 \u02dc \u037e \u0387", "don\u2019t do not , won n't ! can ' t ?",
    "th e  king", "\u0000a\u0000", "\ufffe\uffff\U0001ffff", "\U000e0001\U000e0067\U000e007f", "\U0001f1e9\U0001f1ea\U0001f1eb \u00a9\u200d\u00a9",
    # scripts that meet
    "ab\u0430\u0431\u4e00\u3042\u30a2\u30fc1\uac00 x\u03b1\u0301\u05d0.", "  \u4e00 a \u4e00", "1\u0430 \u0301\u0430",
    # longer
    "The king's 3 daughters (aged 7, 9 and 12) walked 1,200 miles\u2014or so they said\u2014to see the sea.", "  - item 1\n  - item 2\n    - item 2.1\n\n1. one\n10. ten\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", " " * 40 + "x" + " " * 17, "\n" * 9 + "x", "queenqueenqueenqueenthethethe", "= Robert <unk> = \n \n Robert <unk> is an English film , television and theatre actor .",
    "x" * 99, "x" * 100, "x" * 101, "king" * 80, "the " * 60, "\u00e9" * 150, "\U0001f469\u200d\U0001f469\u200d" * 12, "12345678901234567890" * 4, "unhappinesslesslyish-queenkingthe", " " * 300, "\n \n" * 40, "word<left>word <right> word</s>the</s> the  </s>", "the lower case</s>lower case", "<s>", "<unk> unknown [UNK] [CLS][SEP] [MASK]", "[MASK]ed the[SEP]", "a [MASK] . b",
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


def more(t):
    t.add_tokens(MORE)
    return t


def suffix():
    t = Tokenizer(BPE(unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>"))
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(TRAINING, BpeTrainer(vocab_size=380, special_tokens=["<unk>", "<s>", "</s>"], continuing_subword_prefix="##", end_of_word_suffix="</w>", show_progress=False))
    return more(t)


def bert():
    t = Tokenizer(WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(TRAINING + ["King Übermut 'S"], WordPieceTrainer(vocab_size=420, special_tokens=special, show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    t.add_special_tokens([AddedToken("[MASK]", lstrip=True, special=True, normalized=False)])
    return more(t)


def unigram():
    t = Tokenizer(Unigram())
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    t.train_from_iterator(TRAINING * 3, UnigramTrainer(vocab_size=220, special_tokens=special, unk_token="<unk>", show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return more(t)


def level():
    t = Tokenizer(WordLevel(unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.train_from_iterator(TRAINING, WordLevelTrainer(special_tokens=["<unk>"], show_progress=False))
    return more(t)


def charsmap():
    """The table of characters of a few rules, among them one for a sequence of two, one for a part of another, and one that removes."""
    import sentencepiece

    rules = {"\ufb01": "fi", "\uff21": "A", "e\u0301": "\u00e9", "\r": " ", "\r\n": "\n", "\n": " ", "\t": " ", "\u00a0": " ", "\u2460": "1", "\u200b": "", "\u00ad": "",
             "\u00bd": "1\u20442", "\ufdfa": "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647", "\u1112\u1161\u11ab": "\ud55c", "\u3000": " ", "\u00c4": "\u00e4", "\u00a9\u0301": "C"}
    tsv = os.path.join(here, "rules.tsv")
    with open(tsv, "w") as f:
        for a, b in rules.items():
            f.write("%s\t%s\n" % (" ".join("%X" % ord(c) for c in a), " ".join("%X" % ord(c) for c in b)))
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TRAINING), model_writer=model, vocab_size=200, normalization_rule_tsv=tsv, minloglevel=2, hard_vocab_limit=False)
    os.remove(tsv)
    return base64.b64encode(proto(proto(model.getvalue(), 3), 2)).decode()


def proto(data, number):
    """The bytes of a field of a protocol buffer's message."""
    at = 0

    def varint():
        nonlocal at
        v = shift = 0
        while True:
            b = data[at]
            at += 1
            v |= (b & 127) << shift
            shift += 7
            if b < 128:
                return v

    while at < len(data):
        tag = varint()
        if tag & 7 == 2:
            n = varint()
            if tag >> 3 == number:
                return data[at:at + n]
            at += n
        elif tag & 7 == 0:
            varint()
        else:
            at += {1: 8, 5: 4}[tag & 7]


def file(name, t):
    text = json.dumps(json.loads(t.to_str()), ensure_ascii=True, separators=(",", ":")) + "\n"
    with open(os.path.join(here, name), "w") as f:
        f.write(text)
    return text


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
GPT4O = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
POSSESSIVE = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
DEEPSEEK = [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]
KIMI = r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"

# How patterns split, each alone.
PATTERNS = [
    GPT2, LLAMA3, QWEN2, GPT4O, POSSESSIVE, *DEEPSEEK, KIMI, BLOOM, r"[\p{P}\$\+<=>\^~\|]+", r"[0-9][0-9][0-9]", r"\s?\p{L}+(?=\s)", r"(?<=\s)\w+", r"(?<!\w)\d+|(?<=th|the)e?", r"\b\w{2,4}?\b", r"^\s*|\s*$", "a*", "(?:a|b|ab)*c|x?",
    r"(?i)k|Å|the(?-i)E?", ".{3}", r"\w+|[^\w\s]+", r"(?:\s|\p{Alpha}+){2}", "[[:punct:]]|[[:^alpha:]a]", r"\A.|.\z|\n\Z", "(a|b)+?c|[^]a]", r"\h+|\H", r"[^\S\n]+|\x{20}|\u0041|\x41", "[a-c&&b-d]|[\\]\\[\\-a]+", "a{,2}|x{1}?y|{|b{", r"\p{Greek}+", r"(?=.*\d)\w", "(?:x+x+)+y", r"\s+$",
    r"(?<name>\p{Lu})\p{Ll}+", r"[^\n]*\n?|a", r"\p{Cyrillic}+|\p{Hebrew}+|\p{Arabic}+", "(?m:.)+", r"\p{^L}", r"\P{^L}", "(?i:[a-z]+)", r"[\d\-x]+|[a\-z]", "a|", "()", r"\p{Han}|\p{Hiragana}|\p{Katakana}ー?", "[[a-z]&&[^aeiou]]+", r"\B.", "[[:upper:][:digit:]]|[[:space:]]{2}", r"(?:\r\n?|\n)+", "a{1,2}+b|e??n",
]


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern if isinstance(pattern, dict) else {"Regex": pattern}, "behavior": behavior, "invert": invert}


def steps(kind, *list):
    return {"type": "Sequence", kind: list}


def pre(*list):
    return {"pre_tokenizer": steps("pretokenizers", *list)}


def norm(*list):
    return {"normalizer": steps("normalizers", *list)}


def bytes_(space=False, regex=False):
    return {"type": "ByteLevel", "add_prefix_space": space, "trim_offsets": True, "use_regex": regex}


def metaspace(scheme, split, **more):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split} | more


def digits_(individual):
    return {"type": "Digits", "individual_digits": individual}


def replace(pattern, content):
    return {"type": "Replace", "pattern": pattern if isinstance(pattern, dict) else {"Regex": pattern}, "content": content}


def clean(**options):
    return {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True} | options


BYTES = {"decoder": bytes_()}
LLAMA = {"decoder": steps("decoders", replace({"String": "▁"}, " "), {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0})}
NONE = {"normalizer": None, "pre_tokenizer": None}
T = {n: {"type": n} for n in ("NFC", "NFD", "NFKC", "NFKD", "StripAccents", "Lowercase", "Nmt", "ByteLevel", "BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts", "Fuse")}
CHARSMAP = {"type": "Precompiled", "precompiled_charsmap": charsmap()}
WORDPIECE = {"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}}
TEMPLATE = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "B", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "E", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}], "special_tokens": {"B": {"id": "B", "ids": [1, 2], "tokens": ["B", "C"]}, "E": {"id": "E", "ids": [0], "tokens": ["E"]}}}

# Files, and fields to set in them, the same in Python and in Go.
VARIANTS = [(name, {}) for name in ("digits.json", "spaces.json", "suffix.json", "bert.json", "unigram.json", "level.json")]
VARIANTS += [("digits.json", v) for v in [
    pre(digits_(False), bytes_(regex=True)) | BYTES, pre(digits_(True), bytes_(True, True)), pre(digits_(True), bytes_()), pre(bytes_(True, True)) | BYTES, pre(bytes_(True)), pre(bytes_()),
    {"model.unk_token": "!"}, {"model.unk_token": "!", "model.fuse_unk": True}, {"model.ignore_merges": True}, {"model.byte_fallback": True}, {"model.unk_token": "missing"},
    pre(split(LLAMA3), bytes_()) | {"model.ignore_merges": True}, pre(split(QWEN2), bytes_()) | norm(T["NFC"]), pre(split(GPT4O), bytes_()), pre(split(POSSESSIVE), bytes_()), pre(*[split(p) for p in DEEPSEEK], bytes_()), pre(split(KIMI), bytes_()), pre(split(BLOOM), bytes_()) | BYTES,
    pre(split(LLAMA3, "Removed", True), bytes_()), pre({"type": "Punctuation", "behavior": "Contiguous"}, bytes_(regex=True), digits_(False), split("[0-9][0-9][0-9]")),
    *[pre(split({"String": " "}, b, i), bytes_()) for b in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous") for i in (False, True)],
    *[pre(split(r"\s|e|the", b, i), bytes_()) for b in ("MergedWithPrevious", "MergedWithNext", "Contiguous") for i in (False, True)],
    *[pre({"type": "Punctuation", "behavior": b}, bytes_()) for b in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext")],
    pre(T["Whitespace"], bytes_()), pre(T["WhitespaceSplit"], bytes_(True)), pre({"type": "CharDelimiterSplit", "delimiter": "e"}, bytes_()), pre(T["UnicodeScripts"], bytes_()), pre({"type": "FixedLength", "length": 3}, bytes_()), pre(T["BertPreTokenizer"], bytes_()), pre(bytes_(True), T["Whitespace"]), pre(bytes_(regex=True), bytes_()),
    *[norm(T[n]) | BYTES for n in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Nmt")], norm(T["NFD"], T["StripAccents"], T["Lowercase"]), norm(T["NFKD"], T["StripAccents"]), norm({"type": "Strip", "strip_left": True, "strip_right": False}), norm({"type": "Strip", "strip_left": True, "strip_right": True}),
    norm(replace(r"\s+", " "), replace({"String": "e"}, "ee"), replace({"String": "  "}, ""), replace(r"(?<=t)h|$", "é")), {"normalizer": T["ByteLevel"]} | pre(split("Ġ")), norm(clean(lowercase=False)), norm({"type": "Prepend", "prepend": "the "}),
    {"post_processor": TEMPLATE}, {"post_processor": {"type": "RobertaProcessing", "sep": ["E", 2], "cls": ["B", 0], "trim_offsets": True, "add_prefix_space": False}}, {"post_processor": steps("processors", bytes_(), {"type": "BertProcessing", "sep": ["E", 2], "cls": ["B", 1]}, TEMPLATE)}, {"post_processor": bytes_()},
]]
VARIANTS += [("spaces.json", v) for v in [
    LLAMA, {"model.fuse_unk": False}, {"model.unk_token": None}, {"model.byte_fallback": False} | LLAMA, {"model.ignore_merges": True},
    *[{"normalizer": None, "pre_tokenizer": metaspace(s, p), "decoder": metaspace(s, p)} for s in ("always", "first", "never") for p in (False, True)],
    {"normalizer": {"type": "Strip", "strip_left": True, "strip_right": True}, "pre_tokenizer": metaspace("first", False)}, {"normalizer": replace({"String": " "}, "▁"), "pre_tokenizer": split({"String": " "}, "MergedWithPrevious")} | LLAMA,
    {"normalizer": None, "pre_tokenizer": metaspace("never", True, add_prefix_space=False)}, {"normalizer": None} | pre(T["WhitespaceSplit"], metaspace("first", True)), {"decoder": {"type": "CTC", "pad_token": "<unk>", "word_delimiter_token": "▁", "cleanup": True}}, {"decoder": {"type": "Strip", "content": "▁", "start": 2, "stop": 0}},
    norm(CHARSMAP, replace({"String": " "}, "▁")), NONE, {"post_processor": None},
]]
VARIANTS += [("suffix.json", v) for v in [
    {"decoder": {"type": "BPEDecoder", "suffix": "</w>"}}, {"model.unk_token": None}, {"model.fuse_unk": True}, {"model.byte_fallback": True}, norm(T["NFC"], replace(r"\s+", " "), T["Lowercase"]) | pre(split(r"'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", "Removed", True)), {"pre_tokenizer": T["WhitespaceSplit"]},
]]
VARIANTS += [("bert.json", v) for v in [
    WORDPIECE, {"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False}}, {"normalizer": clean(lowercase=False)} | WORDPIECE, {"normalizer": clean(lowercase=False, strip_accents=True)}, {"normalizer": clean(strip_accents=False)}, {"normalizer": clean(handle_chinese_chars=False)}, {"normalizer": clean(clean_text=False)}, {"normalizer": None},
    {"model.max_input_chars_per_word": 9}, {"model.unk_token": "[MASK]"}, {"model.continuing_subword_prefix": ""}, {"pre_tokenizer": T["Whitespace"]}, {"pre_tokenizer": T["WhitespaceSplit"]}, pre(T["Whitespace"], digits_(True)), norm(T["NFKC"], T["Lowercase"], T["StripAccents"]) | {"pre_tokenizer": T["BertPreTokenizer"]}, {"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}},
]]
VARIANTS += [("unigram.json", v) for v in [
    {"decoder": metaspace("always", True)}, {"normalizer": CHARSMAP}, {"normalizer": CHARSMAP} | pre(T["WhitespaceSplit"], metaspace("always", True)), *[{"pre_tokenizer": metaspace(s, p), "decoder": metaspace(s, p)} for s in ("first", "never") for p in (False, True)],
    norm(replace({"String": "``"}, '"'), replace({"String": "''"}, '"'), T["NFKD"], T["StripAccents"], T["Lowercase"], CHARSMAP), norm(T["Nmt"], T["NFKC"], replace(" {2,}", " ")), {"model.byte_fallback": True}, {"model.unk_id": None}, pre({"type": "Punctuation", "behavior": "Isolated"}, T["UnicodeScripts"], metaspace("always", True)), {"pre_tokenizer": T["UnicodeScripts"]}, NONE,
]]
VARIANTS += [("level.json", v) for v in [
    {"pre_tokenizer": T["WhitespaceSplit"]}, {"pre_tokenizer": T["BertPreTokenizer"]}, {"model.unk_token": "missing"}, pre({"type": "CharDelimiterSplit", "delimiter": " "}, digits_(True)), {"normalizer": T["Lowercase"]},
]]


def changed(text, values):
    f = json.loads(text)
    for key, value in values.items():
        *path, last = key.split(".")
        at = f
        for name in path:
            at = at[name]
        at[last] = value
    return Tokenizer.from_str(json.dumps(f))


def results(t, text):
    """The lines that the checksum is of."""
    try:
        ids = t.encode(text, add_special_tokens=False).ids
        around = t.encode(text).ids
    except Exception:
        return None, "error"
    return ids, "\n".join([" ".join(map(str, ids)), " ".join(map(str, around)), t.decode(around), t.decode(around, skip_special_tokens=False)])


def checksum(text):
    return "%03x" % (zlib.crc32(text.encode()) & 0xFFF)


def checksums(t):
    t.no_truncation()
    t.no_padding()
    return "".join(checksum(results(t, s)[1]) for s in TEXTS)


files = {name + ".json": file(name + ".json", make()) for name, make in (("digits", digits), ("spaces", spaces), ("suffix", suffix), ("bert", bert), ("unigram", unigram), ("level", level))}
out = {"texts": TEXTS, "tokenizers": []}
for name, values in VARIANTS:
    t = changed(files[name], values)
    v = {"file": name, "set": values, "sums": checksums(t)}
    if not values and name in ("digits.json", "bert.json"):
        v["ids"] = [results(t, s)[0] for s in TEXTS]
    out["tokenizers"].append(v)
path = os.path.join(here, "tokens.json")
before = json.load(open(path)) if os.path.exists(path) else {}
for name in ("smollm2", "minilm"):
    if len(sys.argv) > 1:
        out[name] = checksums(Tokenizer.from_file(os.path.join(sys.argv[1], name, "tokenizer.json")))
    else:
        out[name] = before.get(name)


def write(path, data, line):
    with open(path, "w") as f:
        f.write(json.dumps(data, separators=(",", ":")).replace(line, "\n" + line) + "\n")


write(path, out, '{"file"')


def pieces(pattern, text):
    """All parts, and those between matches, as a line; a mark where Oniguruma gives up."""
    try:
        return "\x1e".join("\x1f".join(p for p, _ in pre_tokenizers.Split(Regex(pattern), b).pre_tokenize_str(text)) for b in ("isolated", "removed"))
    except BaseException:
        return "too slow"


write(os.path.join(here, "patterns.json"), [
    {"pattern": p, "sums": "".join(checksum(pieces(p, s)) for s in TEXTS[n % 3::3])} for n, p in enumerate(PATTERNS)], '{"pattern"')
print(len(TEXTS), "texts,", len(VARIANTS), "tokenizers,", len(PATTERNS), "patterns")
