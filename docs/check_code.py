"""Run the code blocks of Markdown pages, each page in one namespace, in order.

``python docs/check_code.py README.md docs/index.md docs/user_guide/*.md``. Blocks marked
``python`` run; where they begin with a prompt, what they print is compared too.
"""

import argparse
import doctest
import re
import sys
import traceback
from pathlib import Path

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def failures(path):
    """Run the blocks of one page and return how many fail."""
    text, names, failed = path.read_text("utf-8"), {"__name__": path.stem}, 0
    for block in BLOCK.finditer(text):
        code, line = block[1], text.count("\n", 0, block.start(1))
        if code.startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(code, names, path.name, str(path), line)
            failed += doctest.DocTestRunner(optionflags=OPTIONS).run(test, clear_globs=False).failed
            names.update(test.globs)
            continue
        try:
            exec(compile("\n" * line + code, str(path), "exec"), names)
        except Exception:
            traceback.print_exc()
            failed += 1
    return failed


def main():
    """Run the pages that are named, and fail if any block does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", type=Path)
    counts = {page: failures(page) for page in parser.parse_args().pages}
    for page, count in counts.items():
        print(f"{page}: {f'{count} blocks failed' if count else 'ok'}")
    sys.exit(any(counts.values()))


if __name__ == "__main__":
    main()
