const seconds = Number(document.currentScript.dataset.seconds);
let touched = false;
addEventListener("input", () => { touched = true; });
setInterval(() => {
  const typing = document.activeElement?.matches("input, select, textarea");
  if (!touched && !typing) location.reload();
}, seconds * 1000);
