import { channelTopics } from '../../../core/notification/topics.ts'
import type { NotificationChannel } from '../../../core/resources/channel.ts'
import { parseDuration } from '../../../core/resources/duration.ts'
import { scaledObjects } from '../../kinds.ts'
import type { Platform } from '../../platform.ts'
import { kedaLogin } from '../../release/keda-login.ts'
import { triggerAuthenticationName } from '../../release/names.ts'
import type { KubernetesObject } from '../../runtime/api/resource-kind.ts'
import { childLabels, childName } from '../names.ts'

/** As far as it is read: https://keda.sh/docs/latest/reference/scaledobject-spec/. */
export interface ScaledObject extends KubernetesObject {
  spec: { scaleTargetRef: { kind?: string; name: string } }
  status?: {
    conditions?: { type: string; status: 'True' | 'False' | 'Unknown'; reason?: string; message?: string }[]
  }
}

/** Seconds between KEDA's looks at the lag. */
const pollingInterval = 15
/** A retry topic keeps one worker awake, however much waits on it: what is not due needs no more. */
const neverReached = '1000000000'
/** Brings the workers of a suspended channel to none, and leaves them there. */
const paused = { 'autoscaling.keda.sh/paused-replicas': '0' }

/**
 * A KEDA ScaledObject that scales a channel's workers with the lag of its main topic, and keeps
 * one awake while retries wait.
 */
export function scaledObject(channel: NotificationChannel, platform: Platform): ScaledObject {
  const { metadata, spec } = channel
  const { scaling, topic, delivery } = spec
  const { main, group, retries, retryGroup } = channelTopics(
    platform.topicPrefix,
    metadata,
    topic.name,
    delivery.retryTiers,
  )
  const login = kedaLogin(platform)
  const trigger = (topic: string, consumerGroup: string, lagThreshold: string) => ({
    type: 'kafka',
    metadata: {
      bootstrapServers: platform.environment['KAFKA_BOOTSTRAP_SERVERS'],
      topic,
      consumerGroup,
      lagThreshold,
      // As the workers do that find nothing committed.
      offsetResetPolicy: 'earliest',
      // A client per trigger: each would hold the metadata of all topics.
      fullMetadata: 'false',
      ...login.metadata,
    },
    ...(login.secrets.length > 0 && { authenticationRef: { name: triggerAuthenticationName } }),
  })
  const seconds = (duration: string) => Math.ceil(parseDuration(duration) / 1000)
  return {
    apiVersion: scaledObjects.apiVersion,
    kind: scaledObjects.kind,
    metadata: {
      name: childName(metadata),
      namespace: platform.namespace,
      labels: childLabels(metadata),
      ...(spec.suspend && { annotations: paused }),
    },
    spec: {
      scaleTargetRef: { name: childName(metadata) },
      pollingInterval,
      cooldownPeriod: seconds(scaling.idleAfter),
      // Where nothing was ever due the other does not hold: a channel that was made, or handed over, a moment ago would be put to sleep at once.
      ...(scaling.minReplicas === 0 && { initialCooldownPeriod: seconds(scaling.idleAfter) }),
      minReplicaCount: scaling.minReplicas,
      maxReplicaCount: Math.max(scaling.minReplicas, Math.min(scaling.maxReplicas, topic.partitions)),
      fallback: {
        failureThreshold: Math.max(1, Math.ceil(seconds(scaling.fallback.after) / pollingInterval)),
        replicas: scaling.fallback.replicas,
      },
      triggers: [
        trigger(main, group, String(scaling.lagThreshold)),
        ...retries.map((retry) => trigger(retry.topic, retryGroup, neverReached)),
      ],
    },
  } as ScaledObject
}
