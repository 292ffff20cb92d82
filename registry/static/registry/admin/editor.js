// The YAML editor: line numbers, two-space tabs, and the server's problems while one types.
// Without script the page is a plain textarea and the problems come with the next save.
(() => {
  const VALIDATE = "/api/v1/workflows/validate/";
  const QUIET_MS = 500;
  const LINE_PX = 20; // .omni-yaml line-height

  const area = document.querySelector("textarea.omni-yaml");
  if (!area) return;
  const list = document.getElementById("omni-problems");
  const button = document.getElementById("omni-validate");

  const frame = document.createElement("div");
  frame.className = "omni-editor";
  const lines = document.createElement("div");
  lines.className = "omni-lines omni-mono";
  lines.setAttribute("aria-hidden", "true");
  area.replaceWith(frame);
  frame.append(lines, area);

  let marks = new Map();
  function number() {
    const count = area.value.split("\n").length;
    const rows = [];
    for (let line = 1; line <= count; line += 1) {
      const row = document.createElement("b");
      row.textContent = line;
      if (marks.has(line)) row.className = `is-${marks.get(line)}`;
      rows.push(row);
    }
    lines.replaceChildren(...rows);
    follow();
  }
  function follow() {
    lines.style.height = `${area.offsetHeight}px`;
    lines.scrollTop = area.scrollTop;
  }

  function show(problems) {
    marks = new Map();
    for (const item of problems) {
      if (marks.get(item.line) !== "error") marks.set(item.line, item.severity);
    }
    list.replaceChildren(...problems.map((item) => {
      const row = document.createElement("button");
      row.type = "button";
      row.className = `omni-problem is-${item.severity}`;
      row.dataset.line = item.line;
      row.dataset.column = item.column;
      const place = document.createElement("b");
      place.textContent = `${item.line}:${item.column}`;
      row.append(place, ` ${item.message}`);
      if (item.suggestion) {
        const hint = document.createElement("i");
        hint.textContent = `try: ${item.suggestion}`;
        row.append(" ", hint);
      }
      return row;
    }));
    if (!problems.length) list.textContent = "No problems.";
    number();
  }

  let last = 0;
  async function validate() {
    const turn = last += 1;
    const token = document.querySelector("input[name=csrfmiddlewaretoken]").value;
    let answer;
    try {
      answer = await fetch(VALIDATE, {
        method: "POST",
        headers: { "content-type": "application/json", "x-csrftoken": token },
        body: JSON.stringify({ text: area.value }),
      });
    } catch {
      return; // the server is away: saving will tell
    }
    if (turn === last && answer.ok) show((await answer.json()).problems);
  }

  function jump(line, column) {
    const before = area.value.split("\n").slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
    area.focus();
    area.setSelectionRange(before + column - 1, before + column - 1);
    area.scrollTop = Math.max(0, (line - 5) * LINE_PX);
    frame.scrollIntoView({ block: "nearest" });
  }

  let timer;
  area.addEventListener("input", () => {
    number();
    clearTimeout(timer);
    timer = setTimeout(validate, QUIET_MS);
  });
  area.addEventListener("scroll", follow);
  new ResizeObserver(follow).observe(area);
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Tab" || event.shiftKey || event.ctrlKey || event.altKey) return;
    event.preventDefault(); // Escape then Tab leaves the field: see below
    area.setRangeText("  ", area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input"));
  });
  area.addEventListener("keyup", (event) => { if (event.key === "Escape") area.blur(); });
  document.addEventListener("click", (event) => { // problems, and the lines of the tests
    const row = event.target.closest("[data-line]");
    if (row) jump(Number(row.dataset.line), Number(row.dataset.column));
  });
  if (button) {
    button.hidden = false;
    button.addEventListener("click", validate);
  }

  for (const row of list.querySelectorAll("[data-line]")) {
    marks.set(Number(row.dataset.line), row.classList.contains("is-error") ? "error" : "warning");
  }
  number();
})();
