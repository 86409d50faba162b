import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { V1Container, V1DeploymentSpec, V1PodSpec } from '@kubernetes/client-node'
import type { NotificationChannel } from '../../../core/resources/channel.ts'
import { parseDuration } from '../../../core/resources/duration.ts'
import { deployments } from '../../kinds.ts'
import type { Platform } from '../../platform.ts'
import { platformSecretName, serviceAccountName } from '../../release/names.ts'
import type { KubernetesObject } from '../../runtime/api/resource-kind.ts'
import { versionOf } from '../../secret-versions.ts'
import { childLabels, childName, selectorLabels } from '../names.ts'
import { credentialsItems, type SecretObject } from './credentials.ts'

export interface DeploymentObject extends KubernetesObject {
  spec: Omit<V1DeploymentSpec, 'replicas'> & { replicas?: number }
  status?: {
    observedGeneration?: number
    replicas?: number
    updatedReplicas?: number
    readyReplicas?: number
    conditions?: { type: string; status: string; reason?: string; message?: string }[]
  }
}

export const annotation = {
  /** Generation of the channel that a Deployment was made from. */
  generation: 'carillon.dev/channel-generation',
  // What the pods were made from: another one rolls them. A Secret is told by the version of its content.
  release: 'carillon.dev/release',
  credentials: 'carillon.dev/credentials-version',
} as const

type Resources = NonNullable<V1Container['resources']>

/** An idle worker holds about 150 MiB; one without any request would be the first that a full node evicts. */
const usualResources: Resources = { requests: { cpu: '100m', memory: '256Mi' } }
const healthPort = 8081
const secretsFolder = '/var/run/secrets/carillon.dev/providers'
const platformFolder = '/var/run/secrets/carillon.dev/platform'
/** Milliseconds beyond the slowest send that a worker needs to end in order: outcomes, commits, leaving its groups. */
const drainMargin = 30_000

/**
 * The Deployment of a channel's workers, without `replicas`: those belong to the autoscaler. What a tenant may say of the pods is
 * `spec.workers`; everything else, above all the image and the volumes, is the platform's. Pod Security: restricted.
 */
export function workerDeployment(
  channel: NotificationChannel,
  platform: Platform,
  credentials: SecretObject | undefined,
): DeploymentObject {
  const { metadata, spec } = channel
  const { workers } = spec
  const labels = { ...workers.labels, ...childLabels(metadata) }
  const annotations = {
    ...workers.annotations,
    [annotation.release]: releaseOf(platform),
    ...(credentials && { [annotation.credentials]: versionOf(credentials) ?? '' }),
  }
  return {
    apiVersion: deployments.apiVersion,
    kind: deployments.kind,
    metadata: { name: childName(metadata), namespace: platform.namespace, labels: childLabels(metadata) },
    spec: {
      selector: { matchLabels: selectorLabels(metadata) },
      revisionHistoryLimit: 2,
      // One more before one less: with a single worker the channel would stand still in between.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: { metadata: { labels, annotations }, spec: podSpec(channel, platform, credentials) },
    },
  }
}

/** Equal for equal settings of the release. */
export function releaseOf({
  image,
  environment,
  secretVersion,
  secretEnvironment,
  secretFiles,
}: Platform): string {
  const parts = [image, environment, secretVersion, Object.keys(secretEnvironment), Object.keys(secretFiles)]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

function podSpec(
  { metadata, spec }: NotificationChannel,
  platform: Platform,
  credentials: SecretObject | undefined,
): V1PodSpec {
  const { workers } = spec
  const drain = spec.providers.reduce((sum, { timeout }) => sum + parseDuration(timeout), drainMargin)
  return {
    serviceAccountName,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: Math.ceil(drain / 1000),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      fsGroup: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    nodeSelector: workers.nodeSelector,
    ...(workers.tolerations.length > 0 && {
      tolerations: workers.tolerations as NonNullable<V1PodSpec['tolerations']>,
    }),
    ...(Object.keys(workers.affinity).length > 0 && { affinity: workers.affinity }),
    ...(workers.priorityClassName !== '' && { priorityClassName: workers.priorityClassName }),
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: selectorLabels(metadata) },
      },
    ],
    containers: [container(`${metadata.namespace}/${metadata.name}`, workers.resources, platform)],
    volumes: [
      { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
      { name: 'platform', secret: { secretName: platformSecretName, defaultMode: 0o440 } },
      {
        name: 'providers',
        ...(credentials === undefined
          ? { emptyDir: {} }
          : {
              secret: {
                secretName: credentials.metadata.name,
                items: credentialsItems(credentials),
                defaultMode: 0o440,
              },
            }),
      },
    ],
  }
}

function container(
  channel: string,
  resources: NotificationChannel['spec']['workers']['resources'],
  platform: Platform,
): V1Container {
  const probe = (path: string, more: object) => ({ httpGet: { path, port: 'health' }, ...more })
  return {
    name: 'worker',
    image: platform.image,
    args: ['worker', '--channel', channel],
    env: environment(platform),
    ports: [{ name: 'health', containerPort: healthPort, protocol: 'TCP' }],
    resources: isDeepStrictEqual(resources, {}) ? usualResources : (resources as Resources),
    // A worker that cannot reach Kafka is alive and not ready: restarting it would mend nothing.
    startupProbe: probe('/livez', { periodSeconds: 2, failureThreshold: 60 }),
    livenessProbe: probe('/livez', { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }),
    readinessProbe: probe('/readyz', { periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 2 }),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'platform', mountPath: platformFolder, readOnly: true },
      { name: 'providers', mountPath: secretsFolder, readOnly: true },
    ],
  }
}

function environment(platform: Platform): NonNullable<V1Container['env']> {
  const plain = {
    ...platform.environment,
    CARILLON_TOPIC_PREFIX: platform.topicPrefix,
    CARILLON_SECRETS_DIR: secretsFolder,
    CARILLON_HEALTH_LISTEN: `0.0.0.0:${healthPort}`,
    ...Object.fromEntries(
      Object.keys(platform.secretFiles).map((name) => [name, `${platformFolder}/${name}`]),
    ),
  }
  return [
    ...Object.entries(plain).map(([name, value]) => ({ name, value })),
    ...Object.keys(platform.secretEnvironment).map((name) => ({
      name,
      valueFrom: { secretKeyRef: { name: platformSecretName, key: name } },
    })),
  ].toSorted((left, right) => (left.name < right.name ? -1 : 1))
}
