// The box in the head of the leads table ticks all of the page, and the count is said. Without script, "all on this page" does the same.
document.addEventListener("change", ({ target }) => {
  const form = target.closest("#selection");
  if (!form) return;
  const head = form.querySelector("thead input");
  const rows = [...form.querySelectorAll("tbody input[type=checkbox]")];
  if (target === head) rows.forEach(row => { row.checked = head.checked; });
  const ticked = rows.filter(row => row.checked).length;
  head.checked = ticked === rows.length;
  head.indeterminate = ticked > 0 && ticked < rows.length;
  form.querySelector("#ticked").textContent = ticked ? `${ticked} ticked` : "";
});
