import type { NotificationChannel } from '../../../core/resources/channel.ts'
import { disruptionBudgets } from '../../kinds.ts'
import type { KubernetesObject } from '../../runtime/api/resource-kind.ts'
import { childLabels, childName, selectorLabels } from '../names.ts'

/**
 * A drain of nodes takes one worker of a channel after the other. `maxUnavailable`, not `minAvailable`: the latter would keep the node of a
 * single worker from ever being drained.
 */
export function disruptionBudget(
  { metadata }: NotificationChannel,
  namespace: string,
): KubernetesObject & object {
  return {
    apiVersion: disruptionBudgets.apiVersion,
    kind: disruptionBudgets.kind,
    metadata: { name: childName(metadata), namespace, labels: childLabels(metadata) },
    spec: { maxUnavailable: 1, selector: { matchLabels: selectorLabels(metadata) } },
  } as KubernetesObject & object
}
