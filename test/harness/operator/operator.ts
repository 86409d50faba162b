import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import { pino } from 'pino'
import type { Broker } from '../../../core/broker/broker.ts'
import { openKafkaBroker } from '../../../core/broker/kafka.ts'
import { type OpenCatalog, openCatalog } from '../../../core/catalog/reader.ts'
import { catalogTopic } from '../../../core/notification/topics.ts'
import * as operatorKinds from '../../../operator/kinds.ts'
import { leaseName } from '../../../operator/release/names.ts'
import type { Api } from '../../../operator/runtime/api/api.ts'
import { isNotFound } from '../../../operator/runtime/api/api-error.ts'
import type { ResourceKind } from '../../../operator/runtime/api/resource-kind.ts'
import { leases } from '../../../operator/runtime/leader.ts'
import { until } from '../balance/load.ts'
import { type KafkaCluster, startKafka } from '../kafka/kafka.ts'
import { kafkaLogin, kafkaSecurity } from '../kafka/kafka-login.ts'
import { type AuditedRequest, auditedRequests } from '../kubernetes/audit.ts'
import { type ControlPlane, startControlPlane } from '../kubernetes/control-plane.ts'
import { type RoleProcess, startRole } from '../process/role.ts'
import { openAdministratorApi } from './administrator-api.ts'
import { createOperatorIdentity } from './operator-identity.ts'

/** A cluster with Carillon's kinds, a Kafka, and what it takes to start operators on them. */
export interface OperatorCluster {
  control: ControlPlane
  kafka: KafkaCluster
  /** The administrator's way in. */
  api: Api
  broker: Broker
  /** First part of every topic name of this install. */
  prefix: string
  /** What every process of this install is told. No operator needs a database. */
  settings: Readonly<Record<string, string>>
  /** Instead of some of those, for one that logs in to Kafka; none unless the cluster is `secured`. */
  login: Readonly<Record<string, string>>
  /**
   * Ends with the cluster at the latest.
   * @param more settings beside those, or instead of them
   */
  startOperator(more?: Readonly<Record<string, string>>): RoleProcess
  /** The catalog, once an operator has made its topic; it is followed until the cluster stops. */
  openCatalog(): Promise<OpenCatalog>
  /** Kills an operator, and ends its lease in its place: how long that lasts is not waited for. */
  killLeader(operator: RoleProcess): Promise<void>
  /** What operators asked of the API server so far. They may no more than the release's roles allow. */
  requests(): Promise<AuditedRequest[]>
  /** Applies a manifest; throws what kubectl says when it is refused. */
  apply(manifest: string): Promise<void>
  /**
   * One object as the API server has it, or undefined; also where it does not know the kind.
   * @param kind in the singular, or `nch` and `ntpl` for ours
   */
  get<T>(kind: string, name: string, namespace?: string): Promise<T | undefined>
  /** Waits until the condition of a channel or template has a status, and what else is told of it, and answers it. */
  condition(
    resource: string,
    type: string,
    status: string,
    more?: ConditionExpectation,
  ): Promise<{ reason: string; message: string }>
  /** The end of what the operators said, for whoever looks why a test failed. */
  operatorLogs(): string
  stop(): Promise<void>
}

export interface OperatorClusterOptions {
  /** Whether Kafka has a listener that asks for a log-in, beside the one of `settings`. */
  secured?: boolean
}

export interface ConditionExpectation {
  /** Of the channel or template: `shop` by default. */
  namespace?: string
  reason?: string
  /** All of it, or what is so of it. */
  message?: string | RegExp | ((message: string) => boolean)
}

/** As kubectl calls them. */
const kinds = new Map<string, ResourceKind>([
  ...Object.values(operatorKinds).map((kind) => [kind.kind.toLowerCase(), kind] as const),
  ['nch', operatorKinds.channels],
  ['ntpl', operatorKinds.templates],
])

export const releaseNamespace = 'carillon-system'
const logger = pino({ level: 'silent' })

interface Condition {
  type: string
  status: string
  reason: string
  message: string
  observedGeneration: number
}

interface Conditioned {
  metadata: { generation: number }
  status?: { conditions?: Condition[] }
}

/** @param parts the paths of the parts `kubernetes` and `kafka` */
export async function startOperatorCluster(
  parts: { kubernetes: string; kafka: string },
  { secured = false }: OperatorClusterOptions = {},
): Promise<OperatorCluster> {
  const [control, kafka] = await Promise.all([
    startControlPlane({ binaries: parts.kubernetes }),
    startKafka({ jars: parts.kafka, ...(secured && { security: kafkaSecurity }) }),
  ])
  const bootstrapServers = kafka.nodes.map(({ address, internalAddress }) =>
    secured ? internalAddress : address,
  )
  const [{ user, kubeconfig }] = await Promise.all([
    control
      .run(['create', 'namespace', releaseNamespace])
      .then(() => createOperatorIdentity(control, releaseNamespace)),
    control.run(['create', 'namespace', 'shop']),
    control.run(['apply', '-f', 'crds']),
  ])
  await until(
    async () =>
      (await control.kubectl(['get', 'notificationchannels,notificationtemplates', '-A'])).code === 0,
    'the kinds are served',
  )
  const prefix = `run-${randomBytes(3).toString('hex')}`
  const settings = {
    KUBECONFIG: kubeconfig,
    KAFKA_BOOTSTRAP_SERVERS: bootstrapServers.join(','),
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
    CARILLON_TOPIC_PREFIX: prefix,
    CARILLON_TOPIC_REPLICAS: '1',
    CARILLON_IMAGE: 'carillon:test',
    CARILLON_NAMESPACE: releaseNamespace,
  }
  const login = secured ? await kafkaLogin(kafka, dirname(control.kubeconfig)) : {}
  const { api, close } = openAdministratorApi(control)
  const broker = openKafkaBroker({ bootstrapServers, clientId: 'test', logger })
  const operators: RoleProcess[] = []
  const catalogs: OpenCatalog[] = []

  // Not by kubectl: what is polled would keep the processors busy with starting it.
  const get = async <T>(word: string, name: string, namespace = 'shop') => {
    const kind = kinds.get(word)
    if (kind === undefined) throw new Error(`no kind is called ${word} here`)
    return await api.get(kind, { namespace, name }).then(
      (object) => object as unknown as T,
      (error: unknown) => {
        if (isNotFound(error)) return undefined
        throw error
      },
    )
  }
  return {
    control,
    kafka,
    api,
    broker,
    prefix,
    settings,
    login,
    startOperator(more = {}) {
      const operator = startRole(['operator'], { ...settings, ...more })
      operators.push(operator)
      return operator
    },
    async killLeader(operator) {
      await operator.kill()
      const lease = { namespace: releaseNamespace, name: leaseName }
      await api.merge(leases, lease, { spec: { holderIdentity: '' } }, { fieldManager: 'test' })
    },
    async openCatalog() {
      const topic = catalogTopic(prefix)
      await until(async () => (await broker.admin.describeTopics([topic])).length === 1, 'there is a catalog')
      const catalog = await openCatalog({ broker, topic, logger })
      catalogs.push(catalog)
      return catalog
    },
    requests: () => auditedRequests(control.auditLog, user),
    apply: async (manifest) => void (await control.run(['apply', '-f', '-'], manifest)),
    get,
    async condition(resource, type, status, { namespace, reason, message } = {}) {
      const [kind, name] = resource.split('/') as [string, string]
      let last: Condition | undefined
      const isMeant = (said: string) => {
        if (typeof message === 'function') return message(said)
        return typeof message === 'string' ? said === message : (message?.test(said) ?? true)
      }
      const isTold = async () => {
        const object = await get<Conditioned>(kind, name, namespace)
        last = object?.status?.conditions?.find((condition) => condition.type === type)
        return (
          last?.status === status &&
          last.observedGeneration === object!.metadata.generation &&
          (reason === undefined || last.reason === reason) &&
          isMeant(last.message)
        )
      }
      await until(
        isTold,
        () => `${resource} says ${type}=${status} ${reason ?? ''}, and not ${JSON.stringify(last)}`,
      )
      return last!
    },
    operatorLogs: () =>
      operators
        .map(({ process: { pid, exitCode }, output }) => {
          const end = output().trimEnd().split('\n').slice(-40).join('\n')
          return `operator ${pid} (exit code ${exitCode}) said last:\n${end}\n`
        })
        .join(''),
    async stop() {
      await Promise.all(operators.map((operator) => operator.kill()))
      await Promise.all(catalogs.map((catalog) => catalog.close()))
      await Promise.all([broker.close(), close()])
      await Promise.all([control.stop(), kafka.stop()])
    },
  }
}
