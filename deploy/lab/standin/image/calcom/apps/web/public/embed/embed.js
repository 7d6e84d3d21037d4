// The stand-in's embed script: enough of `Cal(...)` for the official page snippet to work.
// Its own address is written in at start, over the one that the image was built for.
(function () {
  "use strict";
  var OWN_ORIGIN = "http://localhost:3000";
  var listeners = {};

  function frame(namespace, config, link, kind) {
    var origin = config.origin || config.calOrigin || OWN_ORIGIN;
    var element = document.createElement("iframe");
    element.src = origin + "/" + link.replace(/^\/+/, "") + "/embed?embed=" + encodeURIComponent(namespace) +
      "&embedType=" + kind;
    element.name = "cal-embed=" + namespace;
    element.style.cssText = "width:100%;min-height:640px;border:0";
    return element;
  }

  function modal(namespace, config, link) {
    var box = document.createElement("cal-modal-box");
    box.style.cssText = "position:fixed;inset:0;background:rgba(0,0,0,.5);z-index:9999;padding:5vh 10vw";
    box.appendChild(frame(namespace, config, link, "modal"));
    box.addEventListener("click", function () { box.remove(); });
    document.body.appendChild(box);
  }

  function instance(namespace) {
    var config = {};
    return function (command, first, second) {
      if (command === "init") {
        config = (typeof first === "string" ? second : first) || {};
      } else if (command === "inline") {
        var target = first.elementOrSelector;
        target = typeof target === "string" ? document.querySelector(target) : target;
        target.appendChild(frame(namespace, config, first.calLink, "inline"));
      } else if (command === "modal") {
        modal(namespace, config, first.calLink);
      } else if (command === "on") {
        (listeners[namespace] = listeners[namespace] || []).push(first);
      }
    };
  }

  window.addEventListener("message", function (event) {
    var told = event.data || {};
    if (told.originator !== "CAL") return;
    (listeners[told.namespace] || []).forEach(function (listener) {
      if (listener.action === told.type || listener.action === "*") {
        listener.callback({ detail: { type: told.type, namespace: told.namespace, data: told.data } });
      }
    });
  });

  document.addEventListener("click", function (event) {
    var link = event.target.closest && event.target.closest("[data-cal-link]");
    if (!link) return;
    event.preventDefault();
    var namespace = link.getAttribute("data-cal-namespace") || "";
    modal(namespace, { origin: link.getAttribute("data-cal-origin") || OWN_ORIGIN }, link.getAttribute("data-cal-link"));
  });

  var waiting = window.Cal || {};
  var main = instance("");
  var spaces = {};
  function Cal(command, first, second) {
    if (command === "init" && typeof first === "string") {
      spaces[first] = spaces[first] || instance(first);
      Cal.ns[first] = spaces[first];
      return spaces[first]("init", second);
    }
    return main.apply(null, arguments);
  }
  Cal.ns = {};
  Cal.loaded = true;
  Cal.origin = OWN_ORIGIN;
  window.Cal = Cal;
  (waiting.q || []).forEach(function (call) { Cal.apply(null, call); });
  Object.keys(waiting.ns || {}).forEach(function (namespace) {
    spaces[namespace] = spaces[namespace] || instance(namespace);
    Cal.ns[namespace] = spaces[namespace];
    (waiting.ns[namespace].q || []).forEach(function (call) { spaces[namespace].apply(null, call); });
  });
})();
