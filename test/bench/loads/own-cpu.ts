/** Tells how much of a core this process has taken since the call. */
export function ownCpu(): { cores(): number } {
  const cpu = process.cpuUsage()
  const start = performance.now()
  return {
    cores: () => {
      const { user, system } = process.cpuUsage(cpu)
      return (user + system) / 1000 / (performance.now() - start)
    },
  }
}
