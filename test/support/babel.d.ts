/** As much of these packages, which bring no types, as frameworks.ts uses. */
declare module '@babel/core' {
  export function transformAsync(
    code: string,
    options: { readonly presets: readonly unknown[]; readonly configFile: false },
  ): Promise<{ readonly code?: string | null } | null>
}

declare module 'babel-preset-solid' {
  const preset: unknown
  export default preset
}
