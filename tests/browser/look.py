"""What a person can read on a page: contrast, height, and what sticks out at the side."""

CONTRAST = 4.5  # WCAG 2.2, success criterion 1.4.3, for text of ordinary size

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


def hard_to_read(page, selector):
    """Those below the least contrast, rounded."""
    return [(what, round(ratio, 2)) for what, ratio in contrasts(page, selector)
            if ratio < CONTRAST]


def height(page):
    return page.evaluate("document.documentElement.scrollHeight")


def sticks_out(page):
    """Pixels the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")
