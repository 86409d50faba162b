import type { ResourceKind } from './runtime/api/resource-kind.ts'

/** The kinds that the operator reads or writes. */

const namespaced = (apiVersion: string, kind: string, plural: string): ResourceKind => ({
  apiVersion,
  kind,
  plural,
  namespaced: true,
})

export const namespaces: ResourceKind = {
  apiVersion: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
}
export const channels = namespaced('carillon.dev/v1alpha1', 'NotificationChannel', 'notificationchannels')
export const templates = namespaced('carillon.dev/v1alpha1', 'NotificationTemplate', 'notificationtemplates')
export const secrets = namespaced('v1', 'Secret', 'secrets')
export const serviceAccounts = namespaced('v1', 'ServiceAccount', 'serviceaccounts')
export const pods = namespaced('v1', 'Pod', 'pods')
export const deployments = namespaced('apps/v1', 'Deployment', 'deployments')
export const disruptionBudgets = namespaced('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets')
export const networkPolicies = namespaced('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies')
export const podMonitors = namespaced('monitoring.coreos.com/v1', 'PodMonitor', 'podmonitors')
export const scaledObjects = namespaced('keda.sh/v1alpha1', 'ScaledObject', 'scaledobjects')
export const triggerAuthentications = namespaced(
  'keda.sh/v1alpha1',
  'TriggerAuthentication',
  'triggerauthentications',
)
export const podAutoscalers = namespaced(
  'autoscaling/v2',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
)
