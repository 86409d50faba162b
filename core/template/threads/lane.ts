import { Worker } from 'node:worker_threads'
import type { NotificationTemplate } from '../../resources/template.ts'
import { type Answer, type Batch, notStarted, type Progress, type Task } from './protocol.ts'

/** A task, and the template that it is about. */
export interface Job {
  /** Names the template and its revision: a thread is sent each once. */
  key: string
  template: NotificationTemplate
  task: Task
}

/** Why a thread was lost: the task took too long, needed too much memory, or found a defect of ours. */
export type Excess = 'time' | 'memory' | 'defect'

export type Ended =
  | { kind: 'done'; value: unknown; milliseconds: number }
  /** This task is what the thread was lost to. */
  | { kind: 'guilty'; excess: Excess }
  /** The thread was lost to another task, or the lane was closed: nothing is known of this one. */
  | { kind: 'displaced' }
  /** No thread starts. */
  | { kind: 'unavailable' }

export interface LaneOptions {
  /** Milliseconds that one task may take. */
  limit: number
  /** Called for each thread that was lost, with the task that it was lost to; without one when it did not start. */
  onLost: (excess: Excess, job?: Job) => void
}

/** Milliseconds between two looks at a busy thread. */
const tick = 50
/** Milliseconds that a thread may take to start: it loads some modules, on a machine that may be busy. */
const startLimit = 30_000
/** More saves nothing (measured: 5 µs per task on the sender's side from 8 on, 30 µs for a single one), and would be lost together. */
const batchSize = 16
/** Characters of template source that a thread keeps. */
const templatesLimit = 16_777_216
/** Mebibytes. A render is bounded to a few; what is parsed is kept. */
const resourceLimits = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 32 }

interface Waiting extends Job {
  resolve: (ended: Ended) => void
}

/**
 * Runs tasks one after another in a thread of its own. The thread is started when there is something to do, and ended when a task
 * takes longer than the limit; a task that kills it, by its need for memory, hurts none but itself. Time is counted in looks of our own
 * loop and not by a clock, so that a process which was stopped, or gets no turn, does not find fault with what it was at.
 */
export class Lane {
  readonly #options: LaneOptions
  #waiting: Waiting[] = []
  #running: Waiting[] = []
  #thread: Worker | undefined
  #progress = newProgress()
  /** Keys of the templates that the thread has, and the characters of them all. */
  readonly #known = new Set<string>()
  #knownLength = 0
  #watch: NodeJS.Timeout | undefined

  constructor(options: LaneOptions) {
    this.#options = options
  }

  /** Tasks that have not ended. */
  get size(): number {
    return this.#waiting.length + this.#running.length
  }

  run(job: Job): Promise<Ended> {
    return new Promise((resolve) => {
      this.#waiting.push({ ...job, resolve })
      this.#next()
    })
  }

  /** Ends the thread. What has not ended is displaced. */
  async close(): Promise<void> {
    await this.#abandon({ kind: 'displaced' })?.terminate()
  }

  #next(): void {
    if (this.#running.length > 0 || this.#waiting.length === 0) return
    const thread = (this.#thread ??= this.#start())
    this.#running = this.#waiting.splice(0, batchSize)
    Atomics.store(this.#progress, 0, notStarted)
    thread.postMessage(this.#toBatch(this.#running))
    this.#watchProgress()
  }

  #start(): Worker {
    // One that is being ended may still write to its own.
    this.#progress = newProgress()
    const thread = new Worker(new URL('./thread.ts', import.meta.url), {
      workerData: this.#progress,
      resourceLimits,
      // Nothing that a template may find out, nor flags of the process that starts it.
      env: {},
      execArgv: [],
    })
    thread.unref()
    thread.on('message', (answers: Answer[]) => {
      if (thread === this.#thread) this.#finish(answers)
    })
    thread.on('error', (error: NodeJS.ErrnoException) => {
      if (thread === this.#thread) this.#lose(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'memory' : 'defect')
    })
    return thread
  }

  #toBatch(jobs: readonly Job[]): Batch {
    const forget = this.#knownLength > templatesLimit
    if (forget) this.#forget()
    const templates = new Map<string, NotificationTemplate>()
    for (const { key, template } of jobs) {
      if (this.#known.has(key)) continue
      templates.set(key, template)
      this.#known.add(key)
      this.#knownLength += JSON.stringify(template).length
    }
    return { forget, templates, tasks: jobs.map(({ key, task }) => ({ template: key, task })) }
  }

  /** The interval also keeps the process alive while something runs. */
  #watchProgress(): void {
    let before = notStarted
    let looks = 0
    this.#watch = setInterval(() => {
      const at = Atomics.load(this.#progress, 0)
      looks = at === before ? looks + 1 : 0
      before = at
      if (looks * tick >= (at === notStarted ? startLimit : this.#options.limit)) this.#lose('time')
    }, tick)
  }

  #finish(answers: readonly Answer[]): void {
    clearInterval(this.#watch)
    const ended = this.#running
    this.#running = []
    ended.forEach(({ resolve }, index) => {
      const answer = answers[index]
      if (answer?.ok) resolve({ kind: 'done', value: answer.value, milliseconds: answer.milliseconds })
      else resolve({ kind: 'guilty', excess: 'defect' })
    })
    this.#next()
  }

  /** What waits is handed back as well: whoever sent it may know better where to send it now. */
  #lose(excess: Excess): void {
    const guilty = this.#running[Atomics.load(this.#progress, 0)]
    this.#options.onLost(excess, guilty)
    guilty?.resolve({ kind: 'guilty', excess })
    void this.#abandon({ kind: guilty ? 'displaced' : 'unavailable' })?.terminate()
  }

  #abandon(ended: Ended): Worker | undefined {
    clearInterval(this.#watch)
    const thread = this.#thread
    const left = [...this.#running, ...this.#waiting]
    this.#thread = undefined
    this.#running = []
    this.#waiting = []
    this.#forget()
    for (const { resolve } of left) resolve(ended)
    return thread
  }

  #forget(): void {
    this.#known.clear()
    this.#knownLength = 0
  }
}

function newProgress(): Progress {
  return new Int32Array(new SharedArrayBuffer(4))
}
