import { networkPolicies, podMonitors, secrets, serviceAccounts } from '../kinds.ts'
import type { Platform } from '../platform.ts'
import { label, manager } from '../channel/names.ts'
import type { KubernetesObject, ResourceKind } from '../runtime/resource-kind.ts'
import { networkPolicyName, platformSecretName, podMonitorName, serviceAccountName } from './names.ts'

const labels = {
  [label.name]: 'carillon',
  [label.component]: 'worker',
  [label.managedBy]: manager,
  [label.partOf]: 'carillon',
}
const workers = { matchLabels: { [label.name]: 'carillon', [label.component]: 'worker' } }

/** What the workers of all channels share. The PodMonitor is for clusters that know the kind. */
export function releaseObjects(
  platform: Pick<Platform, 'namespace' | 'secretEnvironment' | 'secretFiles'>,
): { kind: ResourceKind; object: KubernetesObject & Record<string, unknown> }[] {
  const object = (kind: ResourceKind, name: string, content: object) => ({
    kind,
    object: {
      apiVersion: kind.apiVersion,
      kind: kind.kind,
      metadata: { name, namespace: platform.namespace, labels },
      ...content,
    },
  })
  return [
    object(secrets, platformSecretName, {
      type: 'Opaque',
      // Not `stringData`: a key that is no longer sent would stay.
      data: encoded({ ...platform.secretEnvironment, ...platform.secretFiles }),
    }),
    object(serviceAccounts, serviceAccountName, { automountServiceAccountToken: false }),
    // Nobody but a supervisor has anything to ask of a worker. What it may call is decided by its own guard, host by host.
    object(networkPolicies, networkPolicyName, {
      spec: {
        podSelector: workers,
        policyTypes: ['Ingress'],
        ingress: [{ ports: [{ protocol: 'TCP', port: 'health' }] }],
      },
    }),
    object(podMonitors, podMonitorName, {
      spec: { selector: workers, podMetricsEndpoints: [{ port: 'health', path: '/metrics' }] },
    }),
  ]
}

function encoded(texts: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')])
  return Object.fromEntries(entries) as Record<string, string>
}
