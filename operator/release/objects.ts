import { label, manager } from '../channel/names.ts'
import { networkPolicies, podMonitors, secrets, serviceAccounts, triggerAuthentications } from '../kinds.ts'
import type { Platform } from '../platform.ts'
import type { KubernetesObject, ResourceKind } from '../runtime/api/resource-kind.ts'
import { kedaLogin } from './keda-login.ts'
import {
  networkPolicyName,
  platformSecretName,
  podMonitorName,
  serviceAccountName,
  triggerAuthenticationName,
} from './names.ts'

export interface ReleaseObject {
  kind: ResourceKind
  name: string
  /** Undefined where there is to be none. */
  object: KubernetesObject | undefined
  /** Whether it is for clusters that know the kind. */
  isOptional?: boolean
}

const labels = {
  [label.name]: 'carillon',
  [label.component]: 'worker',
  [label.managedBy]: manager,
  [label.partOf]: 'carillon',
}
const workers = { matchLabels: { [label.name]: 'carillon', [label.component]: 'worker' } }

/** What the workers of all channels share. */
export function releaseObjects(platform: Omit<Platform, 'secretVersion'>): ReleaseObject[] {
  const make = (kind: ResourceKind, name: string, content: object): ReleaseObject => {
    const { apiVersion } = kind
    const metadata = { name, namespace: platform.namespace, labels }
    return { kind, name, object: { apiVersion, kind: kind.kind, metadata, ...content } }
  }
  const login = kedaLogin(platform).secrets
  return [
    make(secrets, platformSecretName, {
      type: 'Opaque',
      // Not `stringData`: a key that is no longer sent would stay.
      data: encoded({ ...platform.secretEnvironment, ...platform.secretFiles }),
    }),
    make(serviceAccounts, serviceAccountName, { automountServiceAccountToken: false }),
    // Nobody but a supervisor has anything to ask of a worker. What it may call is decided by its own guard, host by host.
    make(networkPolicies, networkPolicyName, {
      spec: {
        podSelector: workers,
        policyTypes: ['Ingress'],
        ingress: [{ ports: [{ protocol: 'TCP', port: 'health' }] }],
      },
    }),
    {
      ...make(podMonitors, podMonitorName, {
        spec: {
          selector: workers,
          // The label `namespace` of a metric is the channel's; Prometheus would put that of the pod in its place.
          podMetricsEndpoints: [{ port: 'health', path: '/metrics', honorLabels: true }],
        },
      }),
      isOptional: true,
    },
    {
      ...(login.length === 0
        ? { kind: triggerAuthentications, name: triggerAuthenticationName, object: undefined }
        : make(triggerAuthentications, triggerAuthenticationName, { spec: { secretTargetRef: login } })),
      isOptional: true,
    },
  ]
}

function encoded(texts: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')])
  return Object.fromEntries(entries) as Record<string, string>
}
