"""text.py PACKAGE OUT: writes prose to calibrate with: the articles of English Wikipedia
that the tests of the PyPI package gensim read, without their markup. PACKAGE is the file
that "pip download --no-deps gensim" brings. The text is under CC BY-SA."""

import bz2
import html
import re
import sys
import xml.etree.ElementTree as xml
import zipfile

package, out = sys.argv[1:]
with zipfile.ZipFile(package) as z:
    name = next(n for n in z.namelist() if "enwiki-latest-pages-articles1" in n)
    data = bz2.decompress(z.read(name))


def prose(s):
    s = re.sub(r"<!--.*?-->|<ref[^>]*?/>|<ref.*?</ref>|<(math|gallery|pre|code|timeline)\b.*?</\1>", "", s, flags=re.S)
    for _ in range(8):  # from the inside out
        s = re.sub(r"\{\{[^{}]*\}\}|\{\|[^{}]*?\|\}", "", s, flags=re.S)
    s = re.sub(r"\[\[(?:File|Image|Category|[a-z-]{2,12}):(?:[^\[\]]|\[\[[^\[\]]*\]\])*\]\]", "", s)
    s = re.sub(r"\[\[(?:[^\[\]|]*\|)?([^\[\]]*)\]\]", r"\1", s)
    s = re.sub(r"\[\S+ ?([^\]]*)\]|<[^>]*>|'{2,}", r"\1", s)
    s = html.unescape(html.unescape(s)).replace("\xa0", " ")
    lines = [re.sub(r"\s+", " ", line).strip() for line in s.split("\n")]
    return "\n".join(line for line in lines if len(line) > 200 and line[0].isupper())


with open(out, "w") as f:
    for page in xml.fromstring(data).iterfind("{*}page"):
        text = page.findtext(".//{*}text") or ""
        if not text.lower().startswith("#redirect"):
            f.write(prose(text) + "\n\n")
