// On pages with widgets, between require.js and html-manager: what html-manager needs to work from here.
(() => {
  const base = new URL((document.documentElement.dataset.content_root || "./") + "vendor/", location.href).href;
  requirejs.config({
    paths: {
      anywidget: base + "anywidget",
      // These modules are all inside embed-amd.js; each looks for its fonts beside the path it believes to come from.
      "@jupyter-widgets/html-manager/dist": base + "fonts",
      "@jupyter-widgets/html-manager": base + "fonts/html-manager",
      "@jupyter-widgets/controls": base + "fonts/controls",
      "@jupyter-widgets/base": base + "fonts/base",
    },
  });

  // The theme's Font Awesome turns every <i> into an <svg>, new ones too; a Play button whose <i> is gone throws.
  window.FontAwesomeConfig = { observeMutations: false };

  // html-manager typesets labels through MathJax.Hub.Queue(["Typeset", hub, node]), which MathJax 3 no longer has.
  const loaded = new Promise((done) => {
    if (document.readyState === "complete") done();
    else window.addEventListener("load", done);
  });
  const Hub = {
    Queue: (call) => loaded.then(() => current?.startup?.promise).then(() => current?.typesetPromise?.([call[2]])),
  };
  const opened = (library) => (library && !library.Hub ? Object.assign(library, { Hub }) : library);
  let current = opened(window.MathJax);
  Object.defineProperty(window, "MathJax", {
    configurable: true,
    get: () => current,
    set: (library) => { current = opened(library); },
  });
})();
