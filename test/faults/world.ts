import { until } from '../harness/balance/load.ts'
import { type KafkaCluster, type KafkaNode, startKafka } from '../harness/kafka/kafka.ts'
import type { KafkaProxy } from '../harness/kafka/kafka-proxy.ts'
import { type StoppablePostgres, startStoppablePostgres } from '../harness/postgres/stoppable-postgres.ts'
import { hooksChannel, type Install, makeInstall } from '../harness/process/install.ts'
import type { RoleProcess } from '../harness/process/role.ts'
import { startRedis, type TestRedis } from '../harness/redis.ts'
import { startWebhookSink, type WebhookSink } from '../harness/webhook-sink.ts'

/**
 * A whole install to break: `carillon api`, `planner` and `worker` as processes on a real Kafka and a real PostgreSQL, each behind a proxy, a Redis and a
 * provider on loopback. A fault leaves it as it found it.
 */
export interface World {
  readonly kafka: KafkaNode & { readonly proxy: KafkaProxy }
  readonly postgres: StoppablePostgres
  readonly redis: TestRedis
  readonly install: Install
  readonly sink: WebhookSink
  readonly api: RoleProcess
  readonly planner: RoleProcess
  /** One, unless a fault has started more. */
  readonly workers: readonly RoleProcess[]
  /** Starts a role again that has ended. */
  restart(role: 'api' | 'planner'): void
  startWorker(): RoleProcess
  /** SIGTERM; the process must drain and end with 0. */
  stopWorker(worker: RoleProcess): Promise<void>
  /** Leaves out a worker that was killed. */
  forget(worker: RoleProcess): void
  /** Waits until every process does its work. */
  ready(): Promise<void>
  /** Every process with its name. */
  processes(): [string, RoleProcess][]
  /** The last warnings and errors of each process. */
  complaints(): string
  stop(): Promise<void>
}

/** @param parts the paths of the parts */
export async function startWorld(parts: { kafka: string; redis: string }): Promise<World> {
  let cluster: KafkaCluster | undefined
  let postgres: StoppablePostgres | undefined
  let redis: TestRedis | undefined
  let install: Install | undefined
  let sink: WebhookSink | undefined
  const workers: RoleProcess[] = []
  const roles = new Map<'api' | 'planner', RoleProcess>()

  async function stop(): Promise<void> {
    await Promise.all([...roles.values(), ...workers].map((role) => role.kill()))
    await sink?.close()
    await cluster?.stop()
    await postgres?.remove()
    await redis?.stop()
    await install?.remove()
  }

  try {
    ;[cluster, postgres, redis] = await Promise.all([
      startKafka({ jars: parts.kafka, proxied: true }),
      startStoppablePostgres(),
      startRedis(parts.redis),
    ])
    install = await makeInstall({
      KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers.join(','),
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
    })
    sink = await startWebhookSink()
    const world = build({ cluster, postgres, redis, install, sink, workers, roles, stop })
    await install.declare(hooksChannel({ partitions: 6, rateLimit }))
    await expectSuccess('migrate', install.start('migrate'))
    const applied = await install.apply()
    if (applied.code !== 0) throw new Error(`apply: ${applied.output}`)
    world.restart('api')
    world.restart('planner')
    world.startWorker()
    await world.ready()
    return world
  } catch (error) {
    await stop()
    throw error
  }
}

/** High enough to hold up nobody; it makes the workers ask Redis. */
export const rateLimit = '{limit: 2000, interval: 1s}'

interface Parts {
  cluster: KafkaCluster
  postgres: StoppablePostgres
  redis: TestRedis
  install: Install
  sink: WebhookSink
  workers: RoleProcess[]
  roles: Map<'api' | 'planner', RoleProcess>
  stop(): Promise<void>
}

const commands = {
  api: ['api', '--listen', '127.0.0.1:0'],
  planner: ['planner'],
  worker: ['worker', '--channel', 'default/hooks'],
}

function build({ cluster, postgres, redis, install, sink, workers, roles, stop }: Parts): World {
  const forget = (worker: RoleProcess) => void workers.splice(workers.indexOf(worker), 1)
  const processes = (): [string, RoleProcess][] => [
    ...roles,
    ...workers.map((worker, index): [string, RoleProcess] => [`worker ${index + 1}`, worker]),
  ]
  return {
    kafka: cluster.nodes[0] as World['kafka'],
    postgres,
    redis,
    install,
    sink,
    workers,
    get api() {
      return roles.get('api')!
    },
    get planner() {
      return roles.get('planner')!
    },
    restart: (role) => void roles.set(role, install.start(...commands[role])),
    startWorker() {
      const worker = install.start(...commands.worker)
      workers.push(worker)
      return worker
    },
    async stopWorker(worker) {
      forget(worker)
      await expectToEnd(worker, 'a worker')
    },
    forget,
    async ready() {
      for (const [, role] of processes()) await role.ready()
    },
    processes,
    complaints: () => processes().map(complaintsOf).join('\n'),
    stop,
  }
}

/** What a process tells Prometheus. */
export async function readMetrics(role: RoleProcess): Promise<string> {
  const response = await fetch(`${role.health()}/metrics`)
  return response.text()
}

function complaintsOf([name, role]: [string, RoleProcess]): string {
  const lines = role.output().split('\n')
  const complaints = lines.filter((line) => line !== '' && !line.includes('"level":"INFO"'))
  return [`${name}:`, ...complaints.slice(-10)].join('\n  ')
}

/** SIGTERM; throws when it does not end with 0. */
export async function expectToEnd(role: RoleProcess, name: string): Promise<void> {
  const stopped = role.stop()
  await until(() => role.process.exitCode !== null, `${name} has drained`, 90_000)
  await expectSuccess(name, { ...role, ended: stopped })
}

async function expectSuccess(
  name: string,
  { ended, output }: Pick<RoleProcess, 'ended' | 'output'>,
): Promise<void> {
  const code = await ended
  if (code !== 0) throw new Error(`${name} ended with ${code}:\n${output()}`)
}
