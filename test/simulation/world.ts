import { pino } from 'pino'
import { Registry } from 'prom-client'
import { type Broker, BrokerError } from '../../core/broker/broker.ts'
import { channelTopicSpecs, installTopicSpecs } from '../../core/broker/topic-specs.ts'
import { sleep } from '../../core/clock.ts'
import { deriveInstallKeys } from '../../core/notification/ids.ts'
import { channelTopics, requestsDeadLettersTopic } from '../../core/notification/topics.ts'
import type { Ledger } from '../../workers/delivery/ledger/ledger.ts'
import { createDeliveryMetrics } from '../../workers/delivery/metrics.ts'
import { startDeliveryWorker } from '../../workers/delivery/worker.ts'
import { startPlanner } from '../../workers/planner/planner.ts'
import type { PlannerStore } from '../../workers/planner/store.ts'
import type { Running } from '../../workers/running.ts'
import { createSourceMetrics } from '../../workers/source-metrics.ts'
import { HeldRelease } from '../../workers/sweeper/release.ts'
import { seeded } from '../harness/fakes/random.ts'
import { catalogOf } from '../harness/fakes/static-catalog.ts'
import { type Link, MemoryCluster } from './memory-broker/cluster.ts'
import { type Call, openMemoryHeldStore, openMemoryLedger, openMemoryPlannerStore } from './memory-ledger.ts'
import { MemoryStore } from './memory-store.ts'
import { type Disruption, SimulatedProcess } from './process.ts'
import { acceptAll, acceptedOf } from './requests.ts'
import { type LateTopic, prefix, type Scenario } from './scenario.ts'
import { Vendor } from './vendor.ts'
import { VirtualTime } from './virtual-time.ts'

const keys = deriveInstallKeys(Buffer.alloc(32, 1))
/** Milliseconds of silence after which the cluster gives a member's partitions to others. */
const session = 3_000
/** Milliseconds until whatever keeps processes running starts a new one. */
const restart = 1_000
/** Milliseconds between rounds of the sweeper. */
const sweepInterval = 2_000
/** Milliseconds of a call after which a process dies that dies of it. */
const deadlyCall = 250
/** Milliseconds that a freeze lasts: longer than a session and a lease. */
const freeze = 20_000

/** Puts something else in the place of a port, to see the simulation fail. */
export interface Mutation {
  ledger?: (ledger: Ledger) => Ledger
  planner?: (store: PlannerStore) => PlannerStore
  broker?: (broker: Broker, link: Link, cluster: MemoryCluster) => Broker
  clock?: (clock: SimulatedProcess['clock']) => SimulatedProcess['clock']
}

export interface WorldOptions {
  scenario: Scenario
  seed: number
  disruption?: Disruption | undefined
  mutation?: Mutation | undefined
  onCommit: ConstructorParameters<typeof MemoryCluster>[0]['onCommit'] & {}
}

/** One life of a process. */
interface Life {
  process: SimulatedProcess
  link: Link
  running: Running | undefined
  stopping: boolean
}

type Reach = 'up' | 'away' | 'answers lost'

/** The store, the cluster and the vendor, which no crash touches, and the processes of the engine, which come and go. */
export class World {
  readonly time = new VirtualTime()
  readonly random: () => number
  readonly cluster: MemoryCluster
  readonly store: MemoryStore
  readonly vendor: Vendor
  readonly scenario: Scenario
  readonly topics: ReturnType<typeof channelTopics>
  /** Every port call, in order. */
  readonly calls: string[] = []
  readonly problems = new Set<string>()
  readonly log: string[] = []
  /** How the store, and how the brokers, can be reached. */
  reach: { store: Reach; broker: Reach } = { store: 'up', broker: 'up' }
  readonly #options: WorldOptions
  readonly #lives = new Map<string, Life>()
  readonly #counts = new Map<string, number>()
  #count = 0

  constructor(options: WorldOptions) {
    const { scenario, seed, onCommit } = options
    this.#options = options
    this.scenario = scenario
    this.random = seeded(seed)
    this.cluster = new MemoryCluster({ clock: this.time, gaps: true, onCommit })
    this.store = new MemoryStore(this.time)
    const { vendor: behaviour, idempotency, channel } = scenario
    const onProblem = (problem: string) => void this.problems.add(problem)
    this.vendor = new Vendor({
      store: this.store,
      idempotency,
      behaviour,
      started: this.time.now(),
      onCall: (delivery, process) => this.#dieOf(delivery, process),
      onProblem,
    })
    this.topics = channelTopics(prefix, channel.metadata, '', channel.spec.delivery.retryTiers)
    const all = [...installTopicSpecs(prefix, 1), ...channelTopicSpecs(prefix, channel, 1)]
    const late = new Set(scenario.late?.topics.flatMap((which) => this.#namesOf(which)))
    this.cluster.log.create(all.filter(({ name }) => !late.has(name)))
    if (scenario.late) this.time.after(scenario.late.after, () => this.cluster.log.create(all))
  }

  /** Starts the processes, and what the scenario says will happen. */
  start(): void {
    this.startAll()
    acceptAll(this)
    for (const event of this.scenario.events)
      if ('at' in event) this.time.after(event.at, () => event.act(this, ''))
  }

  startAll(): void {
    this.add('planner')
    this.add('sweeper')
    for (let number = 1; number <= this.scenario.workers; number++) this.add(`worker ${number}`)
  }

  /** Starts a process, and again whenever it dies. */
  add(role: string): void {
    const process = new SimulatedProcess(`${role} life ${++this.#count}`, {
      time: this.time,
      random: this.random,
      onCall: (name) => this.#onCall(role, name),
      disrupt: (kind) => (kind === 'crash' ? this.crash(role) : this.freeze(role)),
    })
    const link: Link = {
      push: (handle) => process.push(handle),
      call: (name, effect) =>
        process.call(name, () => reached(this.reach.broker, effect, new BrokerError('unavailable', 'away'))),
    }
    const life: Life = { process, link, running: undefined, stopping: false }
    this.#lives.set(role, life)
    const starting = this.#startRole(role, life)
    starting.then(
      (running) => {
        life.running = running
        void running.failed.then((error) => this.problems.add(`a consumer failed for good: ${error.message}`))
      },
      // Cannot start: its process ends, and a new one tries.
      () => this.crash(role),
    )
  }

  crash(role: string): void {
    const life = this.#lives.get(role)
    if (life === undefined || life.process.state === 'dead') return
    life.process.crash()
    this.time.after(session, () => this.cluster.evict(life.link))
    this.time.after(restart, () => this.add(role))
  }

  freeze(role: string): void {
    const { process, link } = this.#lives.get(role)!
    process.freeze()
    this.time.after(session, () => this.cluster.evict(link))
    this.time.after(freeze, () => process.thaw())
  }

  /** Cancels the request of this index. */
  cancel(index: number): void {
    this.store.cancel(acceptedOf(this)[index]!.notification)
  }

  /** Changes how the brokers or the store can be reached. */
  set(part: 'store' | 'broker', reach: Reach): void {
    this.reach = { ...this.reach, [part]: reach }
    this.cluster.away = this.reach.broker === 'away'
    this.cluster.wake()
  }

  /** Asks every process to stop, as SIGTERM does. One that crashes meanwhile is asked again in its next life. */
  stopAll(): void {
    for (const role of this.#lives.keys()) this.#stop(role)
  }

  get stopped(): boolean {
    return this.#lives.size === 0
  }

  /** Whether a process is frozen, dead or still starting. */
  get disturbed(): boolean {
    return [...this.#lives.values()].some(({ process, running }) => process.state !== 'running' || !running)
  }

  #namesOf(which: LateTopic): string[] {
    const { main, retries, deadLetters } = this.topics
    return {
      main: [main],
      retries: retries.map(({ topic }) => topic),
      deadLetters: [deadLetters],
      requestsDeadLetters: [requestsDeadLettersTopic(prefix)],
    }[which]
  }

  /** Ends the process that calls for a delivery, if that is one to die of. */
  #dieOf(delivery: string, process: SimulatedProcess): void {
    const { deadly } = this.scenario
    if (deadly === undefined) return
    if (acceptedOf(this).find((one) => one.delivery === delivery)?.to !== deadly) return
    this.time.after(deadlyCall, () => {
      for (const [role, life] of this.#lives) if (life.process === process) this.crash(role)
    })
  }

  #stop(role: string): void {
    const life = this.#lives.get(role)
    if (life === undefined) return
    if (life.running !== undefined && life.process.state === 'running' && !life.stopping) {
      life.stopping = true
      void life.running.stop().then(() => this.#lives.delete(role))
    }
    this.time.after(restart, () => this.#stop(role))
  }

  #startRole(role: string, life: Life): Promise<Running> {
    if (role === 'planner') return this.#startPlanner(life)
    return role === 'sweeper' ? this.#startSweeper(life) : this.#startWorker(life)
  }

  /** Of the sweeper, what writes records that wait for their topic. */
  async #startSweeper(life: Life): Promise<Running> {
    const { clock, broker, logger } = this.#shared(life)
    const held = openMemoryHeldStore(this.store, this.#storeCall(life.process))
    const release = new HeldRelease({ producer: broker.producer, clock, logger })
    const stopping = new AbortController()
    const { signal } = stopping
    const sweep = async () => {
      while (!signal.aborted) {
        // A round for nothing has nothing that could be cut.
        if (this.store.held.size > 0) await release.sweep(held, signal).catch(() => {})
        await sleep(clock, sweepInterval, signal)
      }
    }
    const working = sweep()
    const stop = () => (stopping.abort(), working)
    return { ready: () => true, failed: new Promise(() => {}), stop }
  }

  #startPlanner(life: Life): Promise<Running> {
    const store = openMemoryPlannerStore(this.store, this.#storeCall(life.process))
    return startPlanner({
      ...this.#shared(life),
      store: this.#options.mutation?.planner?.(store) ?? store,
      keys,
      metrics: createSourceMetrics(new Registry()),
    })
  }

  #startWorker(life: Life): Promise<Running> {
    const { channel } = this.scenario
    const { process } = life
    const ledger = openMemoryLedger(this.store, process.name, this.#storeCall(process), process.clock)
    const registry = new Registry()
    return startDeliveryWorker({
      ...this.#shared(life),
      channel,
      templates: { render: () => Promise.reject(new Error('every request brings its content')) },
      ledger: this.#options.mutation?.ledger?.(ledger) ?? ledger,
      providers: channel.spec.providers.map(({ name }) => this.vendor.open(name, process)),
      metrics: createDeliveryMetrics(registry),
      sourceMetrics: createSourceMetrics(registry),
    })
  }

  #shared({ process, link }: Life) {
    const broker = this.cluster.open(link)
    return {
      broker: this.#options.mutation?.broker?.(broker, link, this.cluster) ?? broker,
      catalog: catalogOf([this.scenario.channel]),
      prefix,
      clock: this.#options.mutation?.clock?.(process.clock) ?? process.clock,
      logger: pino({ level: 'warn' }, { write: (line) => void this.log.push(`${process.name} ${line}`) }),
    }
  }

  #storeCall(process: SimulatedProcess): Call {
    const refused = Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' })
    return (name, effect) => process.call(name, () => reached(this.reach.store, effect, refused))
  }

  #onCall(role: string, name: string): Pick<Disruption, 'when' | 'kind'> | undefined {
    const index = this.calls.push(`${role}: ${name}`) - 1
    const count = (this.#counts.get(name) ?? 0) + 1
    this.#counts.set(name, count)
    for (const event of this.scenario.events)
      if ('call' in event && event.call === name && event.nth === count) event.act(this, role)
    const { disruption } = this.#options
    return disruption?.call === index ? disruption : undefined
  }
}

/** Lets a call through, or not, or only there and not back. */
async function reached<T>(reach: Reach, effect: () => T | Promise<T>, error: Error): Promise<T> {
  if (reach === 'away') throw error
  const result = await effect()
  if (reach === 'answers lost') throw error
  return result
}
