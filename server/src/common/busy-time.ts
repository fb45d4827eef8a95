/** Milliseconds that somebody has worked since a time in the past. */
export type Meter = () => number

/** For how long the event loop has been busy. */
export const loopMeter: Meter = () => performance.eventLoopUtilization().active

/** CPU time of the process, of all its threads. Other than a clock it stands still where the process does. */
export const cpuMeter: Meter = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
