import { join } from 'node:path'

/** The flags of the programs of a control plane, with the free ports in the order in which `control-plane.ts` hands them out. */

/** For one replica that logs little. */
export const quiet = { v: '1', 'leader-elect': 'false' }

export function etcdFlags(folder: string, [client, peer]: readonly number[]): Record<string, string> {
  const clientUrl = `http://127.0.0.1:${client}`
  const peerUrl = `http://127.0.0.1:${peer}`
  return {
    name: 'test',
    'data-dir': join(folder, 'etcd'),
    'log-level': 'warn',
    // The data need not outlive the machine, only a restart of the process.
    'unsafe-no-fsync': 'true',
    'listen-client-urls': clientUrl,
    'advertise-client-urls': clientUrl,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `test=${peerUrl}`,
  }
}

export function apiServerFlags(
  folder: string,
  pki: string,
  ports: readonly number[],
): Record<string, string> {
  return {
    'etcd-servers': `http://127.0.0.1:${ports[0]}`,
    'bind-address': '127.0.0.1',
    'secure-port': String(ports[2]),
    // An address of loopback is refused as an endpoint of the service `kubernetes`.
    'endpoint-reconciler-type': 'none',
    'tls-cert-file': join(pki, 'apiserver.crt'),
    'tls-private-key-file': join(pki, 'apiserver.key'),
    'client-ca-file': join(pki, 'ca.crt'),
    'authorization-mode': 'Node,RBAC',
    'service-cluster-ip-range': '10.96.0.0/16',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': join(pki, 'service-account.pub'),
    'service-account-signing-key-file': join(pki, 'service-account.key'),
    'requestheader-client-ca-file': join(pki, 'front-proxy-ca.crt'),
    'requestheader-allowed-names': 'front-proxy-client',
    'requestheader-username-headers': 'X-Remote-User',
    'requestheader-group-headers': 'X-Remote-Group',
    'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
    'proxy-client-cert-file': join(pki, 'front-proxy.crt'),
    'proxy-client-key-file': join(pki, 'front-proxy.key'),
    'audit-policy-file': join(folder, 'audit-policy.yaml'),
    'audit-log-path': join(folder, 'audit.log'),
    profiling: 'false',
    v: '1',
  }
}

export function controllerFlags(pki: string, kubeconfig: string): Record<string, string> {
  return {
    ...quiet,
    kubeconfig,
    'secure-port': '0',
    'use-service-account-credentials': 'true',
    'service-account-private-key-file': join(pki, 'service-account.key'),
    'root-ca-file': join(pki, 'ca.crt'),
    // A namespace's children go within a test's patience.
    'concurrent-namespace-syncs': '4',
  }
}

export function kwokFlags(binaries: string, pki: string, kubeconfig: string, ports: readonly number[]) {
  return {
    config: join(binaries, 'kwok-stages.yaml'),
    kubeconfig,
    'manage-all-nodes': 'false',
    'manage-nodes-with-annotation-selector': 'kwok.x-k8s.io/node=fake',
    cidr: '10.244.0.0/16',
    'node-ip': '127.0.0.1',
    'node-port': String(ports[3]),
    'server-address': `127.0.0.1:${ports[3]}`,
    'tls-cert-file': join(pki, 'kubelet.crt'),
    'tls-private-key-file': join(pki, 'kubelet.key'),
    'node-lease-duration-seconds': '40',
  }
}
