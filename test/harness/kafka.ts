import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findProgram } from './find-program.ts'
import { freePorts } from './free-ports.ts'
import { type KafkaProxy, startKafkaProxy } from './kafka-proxy.ts'

export interface KafkaOptions {
  /** The folder of jars of the part `kafka`. */
  jars: string
  /** Brokers, each of them a controller too; 1 by default. Topics of the cluster's own have as many copies. */
  nodes?: number
  /** Settings of every broker, over those of the harness. */
  settings?: Readonly<Record<string, string>>
  /** Clients reach each broker through a proxy of its own, `KafkaNode.proxy`; brokers reach each other without. */
  proxied?: boolean
  /** Clients must speak TLS and log in; brokers among themselves need not. */
  security?: KafkaSecurity
}

export interface KafkaSecurity {
  /** Passwords by user, for SCRAM-SHA-512. A user may do what access rules allow, `admin` everything. */
  users: Readonly<Record<string, string>>
  /** A certificate for 127.0.0.1 and its private key, in PEM. */
  certificate: string
}

/** A Kafka on loopback that ends with the test, and at the latest with the process. */
export interface KafkaCluster {
  /** `host:port` of every broker. */
  bootstrapServers: string[]
  nodes: KafkaNode[]
  /** Ends all brokers and removes what they wrote; the folder of one that died by itself is kept, and named. */
  stop(): Promise<void>
}

const clusterId = 'Y2FyaWxsb24tdGVzdHMtMQ'
const startDeadlineMs = 120_000

/** Starts a cluster and waits until every broker takes connections. */
export async function startKafka({
  jars,
  nodes: count = 1,
  settings = {},
  proxied = false,
  security,
}: KafkaOptions): Promise<KafkaCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'carillon-kafka-'))
  const ports = await freePorts(count * 3)
  const places = Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    port: ports[index * 3]!,
    internalPort: ports[index * 3 + 1]!,
    controllerPort: ports[index * 3 + 2]!,
  }))
  const voters = places.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(',')
  const nodes = await Promise.all(
    places.map(async (place) => {
      const proxy = proxied ? await startKafkaProxy(place) : undefined
      const home = join(folder, String(place.id))
      return new KafkaNode({ ...place, jars, folder: home, voters, copies: count, settings, proxy, security })
    }),
  )
  const stop = async () => {
    const died = nodes.some((node) => node.died)
    // Nothing is kept, so nothing need be handed over: brokers that all shut down at once wait for each other.
    await Promise.all(nodes.map((node) => node.kill()))
    for (const { proxy } of nodes) await proxy?.close()
    if (died) process.stderr.write(`a Kafka broker died by itself; its log is below ${folder}\n`)
    else await rm(folder, { recursive: true, force: true })
  }
  try {
    await Promise.all(nodes.map((node) => node.start()))
  } catch (error) {
    await stop()
    throw error
  }
  return { bootstrapServers: nodes.map(({ address }) => address), nodes, stop }
}

interface KafkaNodeOptions {
  id: number
  port: number
  internalPort: number
  controllerPort: number
  jars: string
  folder: string
  voters: string
  copies: number
  settings: Readonly<Record<string, string>>
  proxy: KafkaProxy | undefined
  security: KafkaSecurity | undefined
}

/** One broker. It keeps its address and its data through `kill` and `start`. */
export class KafkaNode {
  readonly id: number
  /** Where clients find it. */
  readonly address: string
  readonly proxy: KafkaProxy | undefined
  readonly #options: KafkaNodeOptions
  #process: ChildProcess | undefined

  constructor(options: KafkaNodeOptions) {
    this.#options = options
    this.id = options.id
    this.proxy = options.proxy
    this.address = `127.0.0.1:${options.proxy?.port ?? options.port}`
  }

  /** Resolves once the broker takes connections; throws with the end of its log when it does not. */
  async start(): Promise<void> {
    const { folder, port } = this.#options
    const properties = join(folder, 'server.properties')
    if (!(await exists(properties))) await this.#format(properties)
    const child = this.#java(['-Xmx256m', '-Xms64m', ...this.#common()], ['kafka.Kafka', properties])
    this.#process = child
    const deadline = performance.now() + startDeadlineMs
    while (!(await takesConnections(port))) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) {
        throw new Error(`Kafka does not start:\n${await this.#endOfLog()}`)
      }
      await sleep(100)
    }
  }

  /** `kill -9`. Resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  /** Lets the broker hang, with its connections open, until `wake`. */
  hang(): void {
    this.#process?.kill('SIGSTOP')
  }

  wake(): void {
    this.#process?.kill('SIGCONT')
  }

  /** It ended, and nobody had asked it to. */
  get died(): boolean {
    const child = this.#process
    return child !== undefined && (child.exitCode !== null || child.signalCode !== null)
  }

  async #format(properties: string): Promise<void> {
    const { folder, security } = this.#options
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'log4j2.properties'), logging)
    await writeFile(properties, this.#properties())
    if (security) await writeFile(join(folder, 'certificate.pem'), security.certificate)
    const users = Object.entries(security?.users ?? {}).flatMap(([name, password]) => [
      '--add-scram',
      `SCRAM-SHA-512=[name=${name},password=${password}]`,
    ])
    const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', properties, ...users]
    const child = this.#java(['-Xmx128m', ...this.#common()], format)
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0) throw new Error(`Kafka cannot format its storage:\n${await this.#endOfLog()}`)
  }

  #common(): string[] {
    const { folder, jars } = this.#options
    return [
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      '-Djava.awt.headless=true',
      `-Dlog4j2.configurationFile=${join(folder, 'log4j2.properties')}`,
      '-cp',
      join(jars, '*'),
    ]
  }

  #java(flags: readonly string[], command: readonly string[]): ChildProcess {
    const java = findProgram('java', process.env)
    if (java === undefined) throw new Error('no java')
    const log = openSync(join(this.#options.folder, 'log'), 'a')
    const child = spawn(java, [...flags, ...command], { stdio: ['ignore', log, log] })
    closeSync(log)
    const end = () => child.kill('SIGKILL')
    process.once('exit', end)
    child.once('exit', () => process.off('exit', end))
    return child
  }

  #properties(): string {
    const { id, port, internalPort, controllerPort, folder, voters, copies, settings, security } =
      this.#options
    const quorum = String(Math.max(1, copies - 1))
    return Object.entries({
      'process.roles': 'broker,controller',
      'node.id': String(id),
      'controller.quorum.voters': voters,
      'controller.listener.names': 'CONTROLLER',
      listeners: `CLIENTS://127.0.0.1:${port},INTERNAL://127.0.0.1:${internalPort},CONTROLLER://127.0.0.1:${controllerPort}`,
      'advertised.listeners': `CLIENTS://${this.address},INTERNAL://127.0.0.1:${internalPort}`,
      'listener.security.protocol.map': `CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,CLIENTS:${security ? 'SASL_SSL' : 'PLAINTEXT'}`,
      'inter.broker.listener.name': 'INTERNAL',
      'log.dirs': join(folder, 'data'),
      'auto.create.topics.enable': 'false',
      'default.replication.factor': String(copies),
      'min.insync.replicas': quorum,
      'offsets.topic.replication.factor': String(copies),
      'offsets.topic.num.partitions': '4',
      'transaction.state.log.replication.factor': String(copies),
      'transaction.state.log.min.isr': quorum,
      'group.initial.rebalance.delay.ms': '0',
      'num.network.threads': '2',
      'num.io.threads': '4',
      'log.segment.bytes': '16777216',
      // A broker that died is missed, and may come back, after 1.5 s instead of 9.
      'broker.session.timeout.ms': '1500',
      'broker.heartbeat.interval.ms': '250',
      // Cleaning within a test's patience.
      'log.retention.check.interval.ms': '500',
      'log.initial.task.delay.ms': '500',
      'log.cleaner.backoff.ms': '250',
      'log.cleaner.dedupe.buffer.size': '4194304',
      'file.delete.delay.ms': '1000',
      ...(security ? securitySettings(join(folder, 'certificate.pem')) : {}),
      ...settings,
    })
      .map(([name, value]) => `${name}=${value}\n`)
      .join('')
  }

  async #endOfLog(): Promise<string> {
    const log = await readFile(join(this.#options.folder, 'log'), 'utf8').catch(() => '')
    return log.split('\n').slice(-30).join('\n')
  }
}

function securitySettings(certificate: string): Record<string, string> {
  const listener = 'listener.name.clients'
  return {
    [`${listener}.sasl.enabled.mechanisms`]: 'SCRAM-SHA-512',
    [`${listener}.scram-sha-512.sasl.jaas.config`]:
      'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    [`${listener}.ssl.keystore.type`]: 'PEM',
    [`${listener}.ssl.keystore.location`]: certificate,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // Who comes without a name is another broker.
    'super.users': 'User:ANONYMOUS;User:admin',
  }
}

const logging = `status=ERROR
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1} %m%n
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
`

async function exists(path: string): Promise<boolean> {
  return await readFile(path).then(
    () => true,
    () => false,
  )
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
