import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from '../parts/find-program.ts'
import { freePorts } from '../process/free-ports.ts'
import { Program, runLogged } from '../process/program.ts'
import { kafkaLogging, type KafkaProperties, kafkaProperties } from './kafka-properties.ts'
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

/** Starts a cluster and waits until every broker answers. */
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

interface KafkaNodeOptions extends Omit<KafkaProperties, 'address' | 'secured'> {
  jars: string
  proxy: KafkaProxy | undefined
  security: KafkaSecurity | undefined
}

/** One broker. It keeps its address and its data through `kill` and `start`; it is ready when it answers. */
export class KafkaNode extends Program {
  readonly id: number
  /** Where clients find it. */
  readonly address: string
  /** Where the other brokers find it, and whoever else need not log in. */
  readonly internalAddress: string
  readonly proxy: KafkaProxy | undefined
  readonly #options: KafkaNodeOptions

  constructor(options: KafkaNodeOptions) {
    super({
      ...java(options, ['-Xmx256m', '-Xms64m'], ['kafka.Kafka', propertiesFile(options)]),
      isReady: async () => (await takesConnections(options.port)) && (await answers(options.internalPort)),
    })
    this.#options = options
    this.id = options.id
    this.proxy = options.proxy
    this.address = `127.0.0.1:${options.proxy?.port ?? options.port}`
    this.internalAddress = `127.0.0.1:${options.internalPort}`
  }

  override async start(): Promise<void> {
    if (!(await exists(propertiesFile(this.#options)))) await this.#format()
    await super.start()
  }

  async #format(): Promise<void> {
    const { address } = this
    const { folder, security } = this.#options
    const properties = propertiesFile(this.#options)
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'log4j2.properties'), kafkaLogging)
    await writeFile(
      properties,
      kafkaProperties({ ...this.#options, address, secured: security !== undefined }),
    )
    if (security) await writeFile(join(folder, 'certificate.pem'), security.certificate)
    const users = Object.entries(security?.users ?? {}).flatMap(([name, password]) => [
      '--add-scram',
      `SCRAM-SHA-512=[name=${name},password=${password}]`,
    ])
    const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', properties, ...users]
    await runLogged(java(this.#options, ['-Xmx128m'], format))
  }
}

function propertiesFile({ folder }: KafkaNodeOptions): string {
  return join(folder, 'server.properties')
}

function java(
  { folder, jars }: KafkaNodeOptions,
  memory: readonly string[],
  command: readonly string[],
): { program: string; args: string[]; log: string } {
  const program = findProgram('java', process.env)
  if (program === undefined) throw new Error('no java')
  const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Djava.awt.headless=true']
  const logging = `-Dlog4j2.configurationFile=${join(folder, 'log4j2.properties')}`
  const args = [...memory, ...flags, logging, '-cp', join(jars, '*'), ...command]
  return { program, args, log: join(folder, 'log') }
}

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

/** The header of a request ApiVersions, version 0, without a client id: its length, its key and version, and what the answer begins with. */
const apiVersions = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 255, 255])

/** Whether a broker answers there, and not just somebody: one listener is open before the next one, and a broker that cannot open that ends. */
async function answers(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port, timeout: 2_000 })
  socket.on('timeout', () => socket.destroy(new Error('no answer')))
  try {
    socket.write(apiVersions)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    return answer.length >= 8 && answer.readInt32BE(4) === 7
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
