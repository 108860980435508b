// On pages with widgets, between require.js and html-manager: where the modules and fonts are, and MathJax 2's door.
(() => {
  const base = new URL((document.documentElement.dataset.content_root || "./") + "vendor/", location.href).href;
  window.__jupyter_widgets_assets_path__ = base + "fonts/";
  requirejs.config({ paths: { anywidget: base + "anywidget" } });

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
