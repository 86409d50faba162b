import { readdirSync, readFileSync } from 'node:fs'
import type { RoleProcess } from '../harness/process/role.ts'

interface Sample {
  seconds: number
  megabytes: number
  descriptors: number
}

/** What processes hold, over time: resident memory and open files. Reads /proc, so Linux only. */
export class ProcessSamples {
  readonly #lives = new Map<RoleProcess, { name: string; samples: Sample[] }>()
  readonly #timer: NodeJS.Timeout

  constructor(processes: () => readonly [string, RoleProcess][]) {
    this.#timer = setInterval(() => {
      for (const [name, role] of processes()) this.#look(name, role)
    }, 2_000)
  }

  #look(name: string, role: RoleProcess): void {
    const sample = sampleOf(role.process.pid)
    if (sample === undefined) return
    const life = this.#lives.get(role) ?? { name, samples: [] }
    this.#lives.set(role, life)
    life.samples.push(sample)
  }

  /** Stops looking, and answers a line for each process that lived for two minutes or more. */
  stop(): string[] {
    clearInterval(this.#timer)
    return [...this.#lives.values()].flatMap(({ name, samples }) => {
      const [first, last] = [samples[0]!, samples.at(-1)!]
      const minutes = (last.seconds - first.seconds) / 60
      if (minutes < 2) return []
      // A process that has just started grows whatever it does: caches, compiled code.
      const settled = samples.filter(({ seconds }) => seconds > first.seconds + 60)
      const { megabytes, descriptors } = slopes(settled)
      return [
        `${name}: ${minutes.toFixed(1)} min, RSS ${settled[0]!.megabytes.toFixed(0)} -> ${last.megabytes.toFixed(0)} MB ` +
          `(${signed(megabytes)} MB/min), open files ${settled[0]!.descriptors} -> ${last.descriptors} (${signed(descriptors)}/min)`,
      ]
    })
  }
}

function sampleOf(pid: number | undefined): Sample | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    return {
      seconds: performance.now() / 1000,
      megabytes: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024,
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
    }
  } catch {
    // It ended meanwhile.
    return undefined
  }
}

/** Per minute, by least squares. */
function slopes(samples: readonly Sample[]): { megabytes: number; descriptors: number } {
  const mean = (of: (sample: Sample) => number) =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length
  const time = mean(({ seconds }) => seconds)
  const spread = mean(({ seconds }) => (seconds - time) ** 2)
  const slope = (of: (sample: Sample) => number) =>
    (60 * mean((sample) => (sample.seconds - time) * of(sample))) / spread
  return {
    megabytes: slope(({ megabytes }) => megabytes),
    descriptors: slope(({ descriptors }) => descriptors),
  }
}

function signed(number: number): string {
  return `${number < 0 ? '-' : '+'}${Math.abs(number).toFixed(1)}`
}
