// Where a workflow is switched on: only the choices of the chosen scope, and a search by slug first.
// Without script everything is shown, and the form says what is missing.
(() => {
  const scopes = document.querySelectorAll("input[name=scope]");
  const parts = document.querySelectorAll("[data-scope]");
  function follow() {
    const chosen = document.querySelector("input[name=scope]:checked");
    for (const part of parts) part.hidden = !chosen || part.dataset.scope !== chosen.value;
  }
  for (const one of scopes) one.addEventListener("change", follow);
  follow();

  const find = document.getElementById("omni-find");
  if (!find) return;
  const list = document.querySelector(".omni-choices");
  const rows = [...list.children];
  find.hidden = rows.length < 6;
  function rank(row, words) { // 0: the slug begins so, 1: it holds the words, 2: the name does
    const name = row.dataset.name.toLowerCase();
    const slug = name.split(" ")[0];
    if (slug.startsWith(words)) return 0;
    if (slug.includes(words)) return 1;
    return name.includes(words) ? 2 : 3;
  }
  find.addEventListener("input", () => {
    const words = find.value.trim().toLowerCase();
    const ranked = rows.map((row) => [rank(row, words), row]).sort((one, other) => one[0] - other[0]);
    for (const [place, row] of ranked) {
      row.hidden = place === 3;
      list.append(row);
    }
  });
  find.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault(); // a search chooses nothing by itself
  });
})();
