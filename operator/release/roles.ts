import {
  channels,
  deployments,
  disruptionBudgets,
  namespaces,
  networkPolicies,
  podAutoscalers,
  podMonitors,
  pods,
  scaledObjects,
  secrets,
  serviceAccounts,
  templates,
  triggerAuthentications,
} from '../kinds.ts'
import type { ResourceKind } from '../runtime/api/resource-kind.ts'
import { events } from '../runtime/events.ts'
import { leases } from '../runtime/leader.ts'
import {
  leaseName,
  networkPolicyName,
  podMonitorName,
  serviceAccountName,
  triggerAuthenticationName,
} from './names.ts'

/** A rule of RBAC, https://kubernetes.io/docs/reference/access-authn-authz/rbac/. */
export interface PolicyRule {
  apiGroups: string[]
  resources: string[]
  resourceNames?: string[]
  verbs: string[]
}

const followed = ['list', 'watch']
/** Server-side apply asks for `create` too where it makes the object. */
const applied = ['create', 'patch']
/** What all workers share, each object by its name: a list or watch that selects that name is allowed by it. */
const shared = [...followed, ...applied]
const kept = [...shared, 'delete']

/** What the operator may do in the release's namespace, where the workers are: a Role. */
export const releaseRules: readonly PolicyRule[] = [
  // The namespace itself, whose uid names the install.
  rule(namespaces, ['get']),
  // What is told of an object that was put right.
  rule(events, ['create']),
  rule(leases, ['create']),
  rule(leases, ['get', 'update'], { name: leaseName }),
  rule(deployments, kept),
  rule(deployments, ['patch'], { subresource: 'scale' }),
  // What the kubelet says of a worker that does not get ready is said of nothing but its pod.
  rule(pods, followed),
  rule(disruptionBudgets, kept),
  rule(secrets, kept),
  rule(scaledObjects, kept),
  rule(podAutoscalers, followed),
  rule(serviceAccounts, shared, { name: serviceAccountName }),
  rule(networkPolicies, shared, { name: networkPolicyName }),
  rule(podMonitors, shared, { name: podMonitorName }),
  rule(triggerAuthentications, kept, { name: triggerAuthenticationName }),
]

/** What it may do in the namespaces that it serves: a ClusterRole, bound to all of them or to each one that is named. */
export const servedRules: readonly PolicyRule[] = [
  rule(channels, followed),
  rule(channels, ['patch'], { subresource: 'status' }),
  rule(templates, followed),
  rule(templates, ['patch'], { subresource: 'status' }),
  // Which Secrets the channels name is known only to those who may write channels.
  rule(secrets, ['get', ...followed]),
  rule(events, ['create']),
]

function rule(
  { apiVersion, plural }: ResourceKind,
  verbs: string[],
  { subresource, name }: { subresource?: string; name?: string } = {},
): PolicyRule {
  const slash = apiVersion.indexOf('/')
  return {
    apiGroups: [slash === -1 ? '' : apiVersion.slice(0, slash)],
    resources: [subresource === undefined ? plural : `${plural}/${subresource}`],
    ...(name !== undefined && { resourceNames: [name] }),
    verbs,
  }
}
