// Previews of links, on hover and on keyboard focus. After Popper and tippy, before the list of tips that a page has.
const tippy = window.tippy;

let arriving;
function mathjax() {
  // A page without formulas of its own has no MathJax; a tip from another page may need it.
  arriving ??= window.MathJax ? MathJax.startup.promise : new Promise((resolve, reject) => {
    window.MathJax = { startup: { typeset: false } };
    const script = document.createElement("script");
    script.src = globalThis.kdnb.base + "tex-svg-full.js";
    script.onload = () => MathJax.startup.promise.then(resolve);
    script.onerror = () => reject(new Error(`${script.src} is missing; build the book again.`));
    document.head.append(script);
  });
  return arriving;
}

async function typeset({ popper, popperInstance }) {
  if (!popper.querySelector(".math:not(:has(mjx-container))")) return;
  await mathjax();
  await MathJax.typesetPromise([popper]);
  popperInstance?.update();
}

tippy.setDefaultProps({
  touch: ["hold", 500], // a tap on a telephone follows the link
  onCreate: ({ popper }) => popper.querySelectorAll("[id]").forEach((copy) => copy.removeAttribute("id")),
  onShow: (instance) => { typeset(instance); },
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape") tippy.hideAll(); });
