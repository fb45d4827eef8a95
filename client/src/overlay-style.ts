/**
 * How an overlay looks. What shows a peer has the custom properties `--color` and `--ink`. A caret has a knob and a
 * name, so that colour is never the only difference.
 */
export const OVERLAY_STYLE = `
div { position: absolute; box-sizing: border-box }
.peer { inset: 0; --contour: 0 0 1px var(--ink) }
.clip { contain: strict }
.mirror { visibility: hidden; box-sizing: content-box }
.input { align-content: center; white-space: pre !important }
.mirror > * { position: static; unicode-bidi: inherit }
.mirror > * + * { text-indent: 0 }
.selection { background: var(--color); opacity: .25 }
.caret { z-index: 1; margin-left: -1px; min-width: 2px; background: var(--color); box-shadow: var(--contour) }
.caret::before {
  content: ''; position: absolute; left: -2px; top: -3px; width: 6px; height: 6px;
  background: var(--color); box-shadow: var(--contour); border-radius: 50%;
}
.name {
  max-width: 50%; height: 18px; padding: 0 6px; overflow: hidden; border: 1px solid color-mix(in srgb, var(--ink) 20%, var(--color)); border-radius: 4px;
  background: var(--color); color: var(--ink); opacity: 0;
  font: 600 12px/16px system-ui, sans-serif; white-space: nowrap; text-overflow: ellipsis;
}
.pointed { opacity: 1 }
.status { width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
[hidden] { display: none }
@media (forced-colors: active) {
  .selection { background: Highlight }
  .caret, .caret::before { background: CanvasText }
  .name { background: Canvas; color: CanvasText; border-color: CanvasText }
}
@media print { .cover { display: none } }
`
