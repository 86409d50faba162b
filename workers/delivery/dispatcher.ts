import type { Timers } from '../../core/clock.ts'

/** What became of one run: finished, or to be run again after a while while everything else of the same key waits. */
export type RunResult =
  /** `told`: what else must be over before the record counts as finished. It holds up no other task. */
  | { kind: 'done'; told?: Promise<void> }
  | { kind: 'park'; milliseconds: number }
  /** To be run again while nothing else does. */
  | { kind: 'alone' }

export interface Task {
  /** Tasks of one key run one after another, in the order in which they came. */
  key: string
  /** True when nobody wants the result any more: the task is dropped instead of run. */
  abandoned: () => boolean
  /** Must not reject. @param alone whether nothing else runs meanwhile */
  run: (alone: boolean) => Promise<RunResult>
}

/**
 * Runs tasks with bounded concurrency, one at a time per key. A parked key leaves its place to others. What has to run alone comes before all that
 * has not begun.
 */
export class Dispatcher {
  readonly #concurrency: number
  readonly #clock: Timers
  readonly #mayStart: () => boolean
  /** Every key with waiting tasks; the head of a queue is the task that runs or is parked. */
  readonly #queues = new Map<string, Task[]>()
  #ready: string[] = []
  /** Keys whose head has to run alone. */
  readonly #waitingAlone: string[] = []
  #runsAlone = false
  /** What calls each parked key's wait off. */
  readonly #parked = new Set<() => void>()
  readonly #idle: (() => void)[] = []
  #running = 0
  #stopped = false

  /** @param options.mayStart is asked right before each start; after a no, `wake` makes it be asked again, and so does the end of a run */
  constructor(options: { concurrency: number; clock: Timers; mayStart?: () => boolean }) {
    this.#concurrency = options.concurrency
    this.#clock = options.clock
    this.#mayStart = options.mayStart ?? (() => true)
  }

  /** Tasks that are begun and not over. */
  get running(): number {
    return this.#running
  }

  enqueue(task: Task): void {
    if (this.#stopped) return
    const queue = this.#queues.get(task.key)
    if (queue) {
      queue.push(task)
      return
    }
    this.#queues.set(task.key, [task])
    this.#ready.push(task.key)
    this.#fill()
  }

  /** Starts what may start now. */
  wake(): void {
    this.#fill()
  }

  /** Forgets the tasks that nobody wants any more, however long they would still have to wait. */
  dropAbandoned(): void {
    const ready = new Set(this.#ready)
    for (const [key, queue] of this.#queues) {
      // The head of a key that is not ready runs or is parked: its turn will come.
      const wanted = queue.filter((task, index) => (index === 0 && !ready.has(key)) || !task.abandoned())
      if (wanted.length > 0) this.#queues.set(key, wanted)
      else this.#queues.delete(key)
    }
    this.#ready = this.#ready.filter((key) => this.#queues.has(key))
  }

  /** Starts nothing more, and resolves when everything begun is over. What waits is forgotten: it was never finished, so it is read again. */
  async drain(): Promise<void> {
    this.#stopped = true
    for (const callOff of this.#parked) callOff()
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #fill(): void {
    while (!this.#stopped && !this.#runsAlone) {
      const alone = this.#waitingAlone.length > 0
      const keys = alone ? this.#waitingAlone : this.#ready
      const key = keys[0]
      if (key === undefined || this.#running >= (alone ? 1 : this.#concurrency)) return
      const task = this.#queues.get(key)?.[0]
      const wanted = task !== undefined && !task.abandoned()
      if (wanted && !this.#mayStart()) return
      keys.shift()
      if (wanted) void this.#run(key, task, alone)
      else if (task !== undefined) this.#next(key)
    }
  }

  async #run(key: string, task: Task, alone: boolean): Promise<void> {
    this.#running++
    this.#runsAlone = alone
    const result = await task.run(alone)
    this.#running--
    this.#runsAlone = false
    if (result.kind === 'done') this.#next(key)
    else if (result.kind === 'alone') this.#waitingAlone.push(key)
    else this.#park(key, result.milliseconds)
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve()
    this.#fill()
  }

  #park(key: string, milliseconds: number): void {
    if (this.#stopped) return
    const callOff = this.#clock.after(milliseconds, () => {
      this.#parked.delete(callOff)
      this.#ready.push(key)
      this.#fill()
    })
    this.#parked.add(callOff)
  }

  #next(key: string): void {
    const queue = this.#queues.get(key)!
    queue.shift()
    if (queue.length === 0) this.#queues.delete(key)
    else this.#ready.push(key)
  }
}
