// The stage: reveal.js with our keys. C shows or hides code; Escape shows all slides, S the speaker's notes.

Reveal.initialize({
  width: 1280,
  height: 720,
  margin: 0.03,
  center: false,
  hash: true,
  slideNumber: "c/t",
  transition: matchMedia("(prefers-reduced-motion: reduce)").matches ? "none" : "slide",
  plugins: [RevealNotes],
});

Reveal.addKeyBinding({ keyCode: 67, key: "C", description: "Show or hide code" }, () => {
  document.body.classList.toggle("without-code");
  Reveal.layout();
});

// Keys meant for a scene or a control inside a slide do not turn the slide.
for (const frame of document.querySelectorAll("iframe")) frame.tabIndex = 0;
