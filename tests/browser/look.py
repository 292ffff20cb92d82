"""What a person can read on a page: contrast, height, and what sticks out at the side."""

CONTRAST = 4.5  # WCAG 2.2, success criterion 1.4.3, for text of ordinary size

WIDTHS = (1280, 390)  # a desk and a phone

# The colour behind a text is that of the nearest ancestor that paints one.
_CONTRASTS = """
(selector) => {
  const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (color) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    return pen.getImageData(0, 0, 1, 1).data;
  };
  const light = (color) => [...color].slice(0, 3).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = rgba(getComputedStyle(node).backgroundColor);
      if (color[3] === 255) return color;
    }
    return rgba("white");
  };
  return [...document.querySelectorAll(selector)].filter((node) => node.textContent.trim())
    .map((node) => {
      const pair = [light(rgba(getComputedStyle(node).color)), light(behind(node))];
      return [node.className + ": " + node.textContent.trim().slice(0, 40),
              (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05)];
    });
}
"""


def contrasts(page, selector):
    """[(class and text, ratio)] of every element that shows words."""
    return [tuple(pair) for pair in page.evaluate(_CONTRASTS, selector)]


def height(page):
    return page.evaluate("document.documentElement.scrollHeight")


def is_dark(page):
    """Whether the admin shows its dark theme."""
    return page.evaluate("document.documentElement.classList.contains('dark')")


def sticks_out(page):
    """Pixels the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


def each_look(page):
    """(scheme, width) of each look, while the page has it.

    The present scheme comes first, and the page is loaded again for the other one, because it
    chooses its theme at loading.
    """
    first = _scheme(page)
    for scheme in (first, "light" if first == "dark" else "dark"):
        if scheme != first:
            page.emulate_media(color_scheme=scheme)
            page.reload()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 820})
            yield scheme, width


def _scheme(page):
    return page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")


def unreadable(page, row, selector):
    """[(row, what)] of words that are hard to read, or not there, and of what sticks out.

    row: names the page and the look it has, so that an error does.
    """
    found = contrasts(page, selector)
    faults = [(row, "hard to read", what, round(ratio, 2)) for what, ratio in found
              if ratio < CONTRAST]
    if not found:
        faults.append((row, "shows nothing of", selector))
    if (pixels := sticks_out(page)) > 0:
        faults.append((row, "sticks out", pixels))
    return faults
