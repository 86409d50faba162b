import { type Clock, systemClock } from '../../clock.ts'
import type { Logger } from '../../observability/logger.ts'
import type { NotificationTemplate } from '../../resources/template.ts'
import type { ValidatedData } from '../../resources/template/variables.ts'
import type { TemplateProblem } from '../check.ts'
import { localizedContent } from '../locale.ts'
import type { Rendered, RenderInput } from '../render.ts'
import { RunawayBreaker } from './breaker.ts'
import { type Ended, type Excess, type Job, Lane } from './lane.ts'

/** Too much is waiting: ask again in a moment. */
export interface Busy {
  kind: 'busy'
}

/** What was asked for has led to so many lost threads that it is not tried before so many milliseconds have passed. It may be well itself. */
export interface Later {
  kind: 'later'
  milliseconds: number
}

/** Milliseconds that a task may take. */
export interface TimeLimits {
  /** In the fast lane: what takes longer goes on in the slow one. */
  fast: number
  /** In the slow lane: what takes longer is given up. */
  slow: number
  /** For a template with all its samples. */
  check: number
}

/** All that the counted limits of Liquid allow takes 100 ms as a rule. */
const usualLimits: TimeLimits = { fast: 500, slow: 2_000, check: 10_000 }
/** Milliseconds of a task that make its template a slow one; below, it may go back to the fast lane. */
const slowness = 100
/** Tasks that may wait: in the fast lane, in the slow lane, and in the slow lane of one template. */
const bounds = { fast: 1_000, slow: 8, slowPerTemplate: 4 }
/** Templates remembered as slow. */
const maxSuspects = 1_000

/**
 * Runs what authors of templates wrote, Liquid and JSON Schema, in threads that can be ended, so that none of them can stop the loop. Two
 * lanes: what was slow, or cost a thread, is kept apart, and there each template may only have a few tasks at once, so a template that
 * runs away hurts only itself. Threads start when they are needed.
 */
export class TemplateThreads {
  readonly #fast: Lane
  readonly #slow: Lane
  readonly #checks: Lane
  /** Keys of slow templates, the newest last, and how many of its tasks are in the slow lane. */
  readonly #suspects = new Map<string, number>()
  readonly #limits: TimeLimits
  readonly #breaker: RunawayBreaker
  #closed = false

  constructor({
    logger,
    limits = usualLimits,
    clock = systemClock,
  }: {
    logger: Logger
    limits?: TimeLimits
    /** For how long what runs away is left alone; what a task takes is not counted by it. */
    clock?: Pick<Clock, 'monotonic'>
  }) {
    this.#limits = limits
    this.#breaker = new RunawayBreaker(clock)
    const lane = (limit: number) =>
      new Lane({
        limit,
        onLost: (excess, job) => {
          const { namespace, name } = job?.template.metadata ?? {}
          const what = job ? `Template ${namespace}/${name} ${describe(excess, limit)}` : 'No template yet'
          logger.warn({ namespace, template: name, excess }, `A thread of templates was ended. ${what}`)
        },
      })
    this.#fast = lane(limits.fast)
    this.#slow = lane(limits.slow)
    this.#checks = lane(limits.check)
  }

  /**
   * Renders. What takes too much time or memory, twice, is invalid. When that has happened several times in a row to one text of the template,
   * all of that text is put off for a while: it may be the data of those few, so it says nothing of the others.
   */
  async render({ template, ...input }: RenderInput): Promise<Rendered | Busy | Later> {
    const key = keyOf('render', template, input.revision)
    const part = input.channelType
    // Not the locale as asked for: whoever sends picks that, and most lead to the same text.
    const { locale } = localizedContent(template.spec, part, input.locale) ?? { locale: '' }
    const written = `${key}/${part}/${locale}`
    const verdict = this.#breaker.enter(written)
    if (verdict.kind === 'wait') return { kind: 'busy' }
    if (verdict.kind === 'later') return verdict
    const ended = await this.#run({ key, template, task: { kind: 'render', input } })
    if (ended.kind === 'done' || ended.kind === 'guilty') this.#breaker.ended(written, ended.kind === 'done')
    else this.#breaker.unknown(written)
    if (ended.kind === 'done') return ended.value as Rendered
    if (ended.kind !== 'guilty') return { kind: 'busy' }
    return { kind: 'invalid', part, detail: `${part}: ${describe(ended.excess, this.#limits.slow)}` }
  }

  /** Checks data against the `variables` of a template, and fills defaults in. */
  async validate(
    template: NotificationTemplate,
    revision: string,
    data: Record<string, unknown>,
  ): Promise<ValidatedData | Busy> {
    const key = keyOf('validate', template, revision)
    const ended = await this.#run({ key, template, task: { kind: 'validate', data } })
    if (ended.kind === 'done') return ended.value as ValidatedData
    if (ended.kind !== 'guilty') return { kind: 'busy' }
    return { ok: false, problems: [{ pointer: '', message: describe(ended.excess, this.#limits.slow) }] }
  }

  /** Proves a template: every part and every sample. Waits as long as it takes; rejects when it is closed meanwhile, or no thread can be started. */
  async check(template: NotificationTemplate): Promise<TemplateProblem[]> {
    // Every check is of a template that was not seen before.
    const key = keyOf('check', template, crypto.randomUUID())
    for (;;) {
      if (this.#closed) throw new Error('the threads of templates are closed')
      const ended = await this.#checks.run({ key, template, task: { kind: 'check' } })
      if (ended.kind === 'done') return ended.value as TemplateProblem[]
      if (ended.kind === 'guilty')
        return [{ path: ['spec'], message: describe(ended.excess, this.#limits.check) }]
      if (ended.kind === 'unavailable') throw new Error('no thread for templates can be started')
    }
  }

  /** Ends the threads. What has not ended by then is busy. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([this.#fast.close(), this.#slow.close(), this.#checks.close()])
  }

  /** Fast lane first, then the slow one; from the start in whichever lane lost its thread to another. `displaced` when too much waits. */
  async #run(job: Job): Promise<Ended> {
    while (!this.#closed && !this.#suspects.has(job.key)) {
      if (this.#fast.size >= bounds.fast) return { kind: 'displaced' }
      const ended = await this.#fast.run(job)
      if (ended.kind === 'guilty' || (ended.kind === 'done' && ended.milliseconds > slowness))
        this.#suspect(job.key)
      if (ended.kind === 'done' || ended.kind === 'unavailable') return ended
    }
    return this.#runSlow(job)
  }

  async #runSlow(job: Job): Promise<Ended> {
    const before = this.#suspects.get(job.key) ?? 0
    if (this.#slow.size >= bounds.slow || before >= bounds.slowPerTemplate) return { kind: 'displaced' }
    this.#suspects.set(job.key, before + 1)
    let ended: Ended = { kind: 'displaced' }
    while (!this.#closed && ended.kind === 'displaced') ended = await this.#slow.run(job)
    if (ended.kind === 'done' && ended.milliseconds <= slowness) this.#suspects.delete(job.key)
    const tasks = this.#suspects.get(job.key)
    if (tasks !== undefined) this.#suspects.set(job.key, Math.max(0, tasks - 1))
    return ended
  }

  #suspect(key: string): void {
    if (this.#suspects.has(key)) return
    const oldest = this.#suspects.keys().next().value
    if (this.#suspects.size >= maxSuspects && oldest !== undefined) this.#suspects.delete(oldest)
    this.#suspects.set(key, 0)
  }
}

function keyOf(kind: string, { metadata }: NotificationTemplate, revision: string): string {
  return `${kind}/${metadata.namespace}/${metadata.name}@${revision}`
}

function describe(excess: Excess, limit: number): string {
  switch (excess) {
    case 'time':
      return `exceeds the time limit of ${limit / 1000} s`
    case 'memory':
      return 'exceeds the memory limit'
    case 'defect':
      return 'cannot be evaluated'
  }
}
