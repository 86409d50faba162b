import type { Catalog, CatalogEntry } from '../../core/catalog/catalog.ts'
import { sleep, type Timers } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import type { Running } from '../running.ts'

export interface ChannelWorkersOptions {
  catalog: Pick<Catalog, 'channels' | 'onChange'>
  /** Starts the worker of a channel, which may wait for ever; the signal calls that off. */
  start(channel: NotificationChannel, signal: AbortSignal): Promise<Running>
  clock: Timers
  logger: Logger
}

const longestPause = 30_000

/**
 * Keeps one delivery worker running for every channel of a catalog. A channel that changes gets a fresh worker once the one before has drained; a suspended or removed one has none. A channel whose worker does not start
 * is tried again and holds up no other.
 */
export class ChannelWorkers implements Running {
  readonly #failed = Promise.withResolvers<Error>()
  readonly #options: ChannelWorkersOptions
  readonly #running = new Map<string, { revision: string; worker: Running }>()
  readonly #busy = new Set<string>()
  readonly #settling = new Set<Promise<void>>()
  readonly #stopping = new AbortController()
  #unsubscribe = () => {}

  constructor(options: ChannelWorkersOptions) {
    this.#options = options
  }

  /** Resolves with the first failure that ends a worker for good. */
  get failed(): Promise<Error> {
    return this.#failed.promise
  }

  /** Resolves when every channel of the catalog has its worker, or has failed to get one and is being tried again. */
  async start(): Promise<void> {
    this.#unsubscribe = this.#options.catalog.onChange(() => this.#settleAll())
    this.#settleAll()
    const settled = new AbortController()
    void Promise.all(this.#settling).then(() => settled.abort())
    await sleep(this.#options.clock, longestPause, settled.signal)
  }

  /** Whether every channel that should have a worker has one that is ready. */
  ready(): boolean {
    return this.#wanted().every(([key, { revision }]) => {
      const running = this.#running.get(key)
      return running?.revision === revision && running.worker.ready()
    })
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
    this.#stopping.abort()
    this.#settleAll()
    await Promise.all(this.#settling)
  }

  #wanted(): [string, CatalogEntry<NotificationChannel>][] {
    if (this.#stopping.signal.aborted) return []
    return this.#options.catalog
      .channels()
      .filter(({ resource }) => !resource.spec.suspend)
      .map((entry) => [keyOf(entry.resource), entry])
  }

  #settleAll(): void {
    const keys = new Set([...this.#running.keys(), ...this.#wanted().map(([key]) => key)])
    for (const key of keys) {
      if (this.#busy.has(key)) continue
      const settled = this.#settle(key).finally(() => this.#settling.delete(settled))
      this.#settling.add(settled)
    }
  }

  /** Runs once at a time for a channel, until what runs is what is wanted. Nothing is awaited between that check and the end. */
  async #settle(key: string): Promise<void> {
    this.#busy.add(key)
    for (let failures = 0; ; ) {
      const wanted = this.#wanted().find(([other]) => other === key)?.[1]
      const running = this.#running.get(key)
      if (wanted?.revision === running?.revision) break
      try {
        await this.#step(key, wanted, running?.worker)
        failures = 0
      } catch (error) {
        if (running === undefined && this.#stopping.signal.aborted) break
        const what = running === undefined ? 'started' : 'stopped'
        this.#options.logger.error({ err: error, channel: key }, `The worker of ${key} cannot be ${what}`)
        if (this.#stopping.signal.aborted) break
        const pause = Math.min(1000 * 2 ** failures++, longestPause)
        await sleep(this.#options.clock, pause, this.#stopping.signal)
      }
    }
    this.#busy.delete(key)
  }

  async #step(
    key: string,
    wanted: CatalogEntry<NotificationChannel> | undefined,
    running: Running | undefined,
  ): Promise<void> {
    if (running !== undefined) {
      await running.stop()
      this.#running.delete(key)
      this.#options.logger.info({ channel: key }, 'The worker has drained and stopped')
    } else if (wanted !== undefined) {
      const worker = await this.#options.start(wanted.resource, this.#stopping.signal)
      void worker.failed.then(this.#failed.resolve)
      this.#running.set(key, { revision: wanted.revision, worker })
      this.#options.logger.info({ channel: key, revision: wanted.revision }, 'The worker consumes')
    }
  }
}

function keyOf({ metadata }: NotificationChannel): string {
  return `${metadata.namespace}/${metadata.name}`
}
