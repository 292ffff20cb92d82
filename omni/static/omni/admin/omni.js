// Copy buttons of the admin. Everything else works without script.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  event.preventDefault();
  event.stopPropagation();
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "copied";
  } catch {
    window.getSelection().selectAllChildren(button.previousElementSibling);
    button.textContent = "press Ctrl+C";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
});
