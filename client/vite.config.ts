import { defineConfig } from 'vite'

/** As the README names them. */
export const OLDEST_BROWSERS = ['chrome109', 'firefox115', 'ios16.4', 'safari16.4']

/** `dist/coedit.js`: one file with yjs inside, for `<script type="module">`. `tsc` builds all else. */
export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  plugins: [
    {
      name: 'commonjs-scope',
      // tsc builds dist/cjs for `require`; Node and TypeScript tell by the next package.json what a .js or .d.ts file is.
      generateBundle() {
        this.emitFile({ type: 'asset', fileName: 'cjs/package.json', source: '{ "type": "commonjs" }\n' })
      },
    },
  ],
  build: {
    target: OLDEST_BROWSERS,
    lib: { entry: 'src/standalone.ts', formats: ['es'], fileName: () => 'coedit.js' },
    // What tsc has built is there too.
    emptyOutDir: false,
    sourcemap: true,
    rolldownOptions: {
      output: {
        codeSplitting: false,
        // Of libraries Vite keeps whitespace for the bundlers that follow; none follows here.
        minify: true,
      },
    },
  },
})
