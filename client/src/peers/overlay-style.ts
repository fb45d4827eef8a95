import { BLOCKS_STYLE } from '../binding/text-blocks.ts'

/**
 * How an overlay looks. What shows a peer has the custom properties `--color` and `--ink`. A caret has a knob and a
 * name, so that colour is never the only difference. In print it is transparent, not taken out:
 * what has no size cannot be measured, and is nowhere from then on.
 */
export const OVERLAY_STYLE = `${BLOCKS_STYLE}
.selection{background:var(--color);opacity:.25}
.caret,.caret:before{background:var(--color);box-shadow:0 0 1px var(--ink);min-width:2px;margin-left:-1px;z-index:1}
.caret:before{content:'';top:-3px;width:6px;height:6px;border-radius:3px;margin-left:-2px}
.name{font:600 11px/14px system-ui,sans-serif;white-space:nowrap;max-width:200px;overflow:hidden;text-overflow:ellipsis;padding:0 5px;border:1px solid var(--ink);border-radius:4px;background:var(--color);color:var(--ink);opacity:0;forced-color-adjust:none}
.edge{visibility:hidden;pointer-events:auto;cursor:pointer}
@keyframes name{0%,80%{opacity:1;visibility:visible}}
@media(forced-colors:active){*{--color:LinkText!important;--ink:Canvas!important}}
@media print{.cover{opacity:0}}
`
