interface Sample {
  readonly minutes: number
  readonly mebibytes: number
}

/** Which way the memory of a process goes, as a straight line through the samples after a warm-up. */
export class MemoryTrend {
  readonly #samples: Sample[] = []

  add(minutes: number, mebibytes: number): void {
    this.#samples.push({ minutes, mebibytes })
  }

  /** MiB a minute; least squares over all samples but the first quarter. NaN where there are less than two. */
  get slope(): number {
    const samples = this.#settled
    const meanX = mean(samples.map(({ minutes }) => minutes))
    const meanY = mean(samples.map(({ mebibytes }) => mebibytes))
    let products = 0
    let squares = 0
    for (const { minutes, mebibytes } of samples) {
      products += (minutes - meanX) * (mebibytes - meanY)
      squares += (minutes - meanX) ** 2
    }
    return products / squares
  }

  /** By how many MiB the line rises from its beginning to its end. */
  get rise(): number {
    const samples = this.#settled
    return this.slope * ((samples.at(-1)?.minutes ?? 0) - (samples[0]?.minutes ?? 0))
  }

  get highest(): number {
    return Math.max(...this.#samples.map(({ mebibytes }) => mebibytes))
  }

  get #settled(): readonly Sample[] {
    return this.#samples.slice(Math.floor(this.#samples.length / 4))
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
