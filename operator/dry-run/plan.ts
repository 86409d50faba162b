import { randomUUID } from 'node:crypto'
import { Registry } from 'prom-client'
import type { Broker } from '../../core/broker/broker.ts'
import { readCatalog } from '../../core/catalog/reader.ts'
import { catalogTopic } from '../../core/notification/topics.ts'
import type { Condition } from '../../core/resources/condition.ts'
import { createAutoscalerMetrics } from '../autoscaler/metrics.ts'
import { channels, templates } from '../kinds.ts'
import { type OperatorOptions, startOperator } from '../operator.ts'
import { Api } from '../runtime/api/api.ts'
import type { Requests } from '../runtime/api/connection.ts'
import type { KubernetesObject } from '../runtime/api/resource-kind.ts'
import { createControllerMetrics } from '../runtime/metrics.ts'
import { unlessAborted } from '../runtime/unless-aborted.ts'
import { scopesOf } from '../watches.ts'
import { dryRunBroker } from './broker.ts'
import { DryRunConnection } from './connection.ts'

type Conditioned = KubernetesObject & { status?: { conditions?: Condition[] } }

export interface PlanOptions
  extends Omit<
    OperatorOptions,
    'api' | 'beforeWrite' | 'upgradeBudget' | 'identity' | 'metrics' | 'autoscalerMetrics'
  > {
  connection: Requests
}

/**
 * Says what the operator would change now, one line each, and changes nothing: it is the operator itself that looks at every resource once, on a
 * Kafka whose changes only it sees, and with an API server that checks what it gets and keeps none of it. Rejects while Kafka or the API server is away.
 * @param signal ends the look: what is known by then is told
 */
export async function planOperator(options: PlanOptions, signal: AbortSignal): Promise<string[]> {
  const lines = new Set<string>()
  /** By object and type: the parts of a status are written apart from each other. */
  const conditions = new Map<string, Condition>()
  const live = new Api(options.connection)
  const say = (line: string) => lines.add(line)
  const status = (object: Conditioned) => {
    for (const condition of object.status?.conditions ?? [])
      conditions.set(`${nameOf(object)} ${condition.type}`, condition)
  }

  // What stays as it was is not written anew.
  for (const scope of scopesOf(options.watchNamespaces))
    for (const kind of [channels, templates])
      for (const object of (await live.list<Conditioned>(kind, scope, signal)).items) status(object)

  const broker = dryRunBroker(options.broker, say)
  const registry = new Registry()
  const operator = await startOperator(
    {
      ...options,
      api: new Api(new DryRunConnection(options.connection, { say, status })),
      broker,
      beforeWrite: () => {},
      // All of them are told, and nothing rolls.
      upgradeBudget: Infinity,
      identity: randomUUID(),
      metrics: createControllerMetrics(registry, options.clock),
      autoscalerMetrics: createAutoscalerMetrics(registry),
    },
    signal,
  )
  const isComplete = await unlessAborted(operator.settled, signal).then(
    () => true,
    () => false,
  )
  const published = await publications(options, broker)
  await operator.stop()
  const told = [...conditions]
    .filter(([, condition]) => isObstacle(condition))
    .map(([key, { status, reason, message }]) => `${key}=${status} ${reason}: ${message}`)
  // Whoever is looked at twice says the same twice.
  const plan = [...lines, ...published, ...told].toSorted()
  return isComplete ? plan : [...plan, 'Not everything could be looked at: the log says why']
}

/** What the catalog would say that it does not say. */
async function publications(options: PlanOptions, planned: Broker): Promise<string[]> {
  const topic = catalogTopic(options.platform.topicPrefix)
  const before = await readCatalog({ ...options, topic })
  const after = await readCatalog({ ...options, broker: planned, topic })
  const isRevision = (key: string) => key.includes('@')
  const lines: string[] = []
  for (const [key, { revision, resource }] of after) {
    const was = before.get(key)
    if (isRevision(key) || was?.revision === revision) continue
    lines.push(`${nameOf(resource)} ${was === undefined ? 'published' : 'published anew'}`)
  }
  for (const [key, { resource }] of before)
    if (!isRevision(key) && !after.has(key)) lines.push(`${nameOf(resource)} removed`)
  return lines
}

function nameOf({
  kind,
  metadata,
}: {
  kind: string
  metadata: { namespace?: string; name: string }
}): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`
}

/** Judgements that stop a resource from being carried out; that its workers do not run yet is not one. */
const judgements = new Set(['Accepted', 'CredentialsReady', 'TopicsReady', 'Valid'])
/** Of the workers: what the API server refuses. */
const refusals = new Set(['WorkersRefused', 'ScaledObjectRefused'])

function isObstacle({ type, status, reason }: Condition): boolean {
  return judgements.has(type)
    ? status !== 'True' && reason !== 'NotChecked'
    : type === 'WorkersReady' && refusals.has(reason)
}
