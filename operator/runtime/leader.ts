import { type Clock, sleep, type Timers } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { Api } from './api/api.ts'
import { isConflict, isNotFound } from './api/api-error.ts'
import type { KubernetesObject, ObjectName, ResourceKind } from './api/resource-kind.ts'

export interface LeaderOptions {
  api: Api
  /** The Lease that is contended for. */
  lease: ObjectName
  /** Who we are: unique among all that ever ran. */
  identity: string
  clock: Clock & Timers
  logger: Logger
  /** Milliseconds; those of client-go's leader election by default. */
  leaseDuration?: number
  renewDeadline?: number
  retryPeriod?: number
}

interface Lease extends KubernetesObject {
  spec?: {
    holderIdentity?: string
    leaseDurationSeconds?: number
    acquireTime?: string
    renewTime?: string
    leaseTransitions?: number
  }
}

export const leases: ResourceKind = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
}

/**
 * Leader election by a Lease, as client-go does it: whoever holds it renews it, and who cannot renew it in time stops leading before anybody else
 * may begin. Only our own monotonic clock counts: another holder's time starts when we see that it renewed.
 */
export class Leader {
  readonly #options: Required<LeaderOptions>
  readonly #stopping = new AbortController()
  readonly #led = Promise.withResolvers<void>()
  readonly #lost = Promise.withResolvers<Error>()
  #running: Promise<void> = Promise.resolve()
  #leading = false
  #renewedAt = 0
  #callOffDeadline = () => {}
  /** What we saw last of the Lease, and when it had last changed. */
  #seen: { version: string; at: number } | undefined

  constructor(options: LeaderOptions) {
    this.#options = { leaseDuration: 15_000, renewDeadline: 10_000, retryPeriod: 2_000, ...options }
  }

  get leading(): boolean {
    return this.#leading && this.#options.clock.monotonic() - this.#renewedAt < this.#options.renewDeadline
  }

  /** Throws unless we lead. Called before every write: a process that was frozen must know by itself that its time is over. */
  readonly assertLeading = (): void => {
    if (!this.leading) throw new Error('this process no longer leads')
  }

  /** Resolves once we lead. */
  get led(): Promise<void> {
    return this.#led.promise
  }

  /** Resolves when we led and could not renew in time: the process must end, because it cannot know what it still has under way. */
  get lost(): Promise<Error> {
    return this.#lost.promise
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Lets the Lease go, so that the next leader need not wait for it to run out. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#callOffDeadline()
    if (!this.leading) return
    this.#leading = false
    await this.#release().catch((error: unknown) => {
      this.#options.logger.warn({ err: error }, 'The lease was not released; it runs out by itself')
    })
  }

  async #run(): Promise<void> {
    const { clock, retryPeriod } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const asked = clock.monotonic()
      // Counted from before the request: the Lease may have been written at once, and its answer have come late.
      if (await this.#try()) this.#renewed(asked)
      await sleep(clock, retryPeriod * (1 + Math.random() / 5), signal)
    }
  }

  #renewed(at: number): void {
    const { renewDeadline, logger, identity, clock } = this.#options
    this.#renewedAt = at
    this.#callOffDeadline()
    const left = renewDeadline - (clock.monotonic() - at)
    this.#callOffDeadline = clock.after(left, () => {
      this.#leading = false
      this.#stopping.abort()
      this.#lost.resolve(new Error('the lease could not be renewed in time'))
    })
    if (this.#leading) return
    this.#leading = true
    logger.info({ identity }, 'Leads')
    this.#led.resolve()
  }

  /** Whether the Lease is ours now. */
  async #try(): Promise<boolean> {
    const { logger, renewDeadline } = this.#options
    // One request that hangs must not cost the whole deadline.
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(renewDeadline / 2)])
    try {
      return await this.#acquireOrRenew(signal)
    } catch (error) {
      if (!this.#stopping.signal.aborted && !isConflict(error))
        logger.warn({ err: error }, 'The lease cannot be written')
      return false
    }
  }

  async #acquireOrRenew(signal: AbortSignal): Promise<boolean> {
    const { api, lease: name, identity, clock } = this.#options
    const lease = await api.get<Lease>(leases, name, signal).catch((error: unknown) => {
      if (isNotFound(error)) return undefined
      throw error
    })
    if (lease === undefined) {
      await api.create(leases, this.#claimed(undefined), signal)
      return true
    }
    const holder = lease.spec?.holderIdentity ?? ''
    const version = lease.metadata.resourceVersion ?? ''
    if (this.#seen?.version !== version) this.#seen = { version, at: clock.monotonic() }
    if (holder !== identity && holder !== '' && clock.monotonic() < this.#seen.at + durationOf(lease))
      return false
    await api.replace(leases, this.#claimed(lease), signal)
    return true
  }

  #claimed(before: Lease | undefined): Lease {
    const { lease, identity, leaseDuration, clock } = this.#options
    const now = microTime(clock)
    const same = before?.spec?.holderIdentity === identity
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseDuration / 1000),
      acquireTime: same ? (before.spec?.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (before?.spec?.leaseTransitions ?? 0) + (same || before === undefined ? 0 : 1),
    }
    const { apiVersion, kind } = leases
    return { apiVersion, kind, metadata: before?.metadata ?? { ...lease }, spec }
  }

  async #release(): Promise<void> {
    const { api, lease: name, identity, clock } = this.#options
    const lease = await api.get<Lease>(leases, name)
    if (lease.spec?.holderIdentity !== identity) return
    const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(clock) }
    await api.replace(leases, { ...lease, spec })
  }
}

function durationOf({ spec }: Lease): number {
  return (spec?.leaseDurationSeconds ?? 0) * 1000
}

/** metav1.MicroTime: the API server refuses a time with three digits. */
function microTime(clock: Clock): string {
  return new Date(clock.now()).toISOString().replace('Z', '000Z')
}
