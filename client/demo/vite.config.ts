import { join } from 'node:path'
import { defineConfig } from 'vite'
import { OLDEST_BROWSERS } from '../vite.config.ts'
import { docs } from './docs.ts'

const PAGES = [
  ...['index.html', 'examples.html', 'echo.html', 'ticker.html', 'auction.html', 'orders.html', 'chat.html'],
  'status.html',
]

export default defineConfig({
  root: import.meta.dirname,
  // Relative, because the page is served below any base path; the server puts a <base> into index.html.
  base: './',
  plugins: [docs(join(import.meta.dirname, '../..'))],
  resolve: { conditions: ['@coedit/source', 'module', 'browser', 'development|production'] },
  build: {
    target: OLDEST_BROWSERS,
    rolldownOptions: { input: PAGES.map((page) => join(import.meta.dirname, page)) },
    outDir: '../../server/dist/public',
    emptyOutDir: true,
    // A data: URI is an inline resource, which the page's content security policy is to refuse.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
})
