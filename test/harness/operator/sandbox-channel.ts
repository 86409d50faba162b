/**
 * The manifest of a channel `shop/NAME` whose mails go to the sandbox. Manifests can be joined.
 * @param fields more of its spec, each a line of YAML such as `suspend: true`
 */
export function sandboxChannel(name: string, ...fields: readonly string[]): string {
  return `---
apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata: {name: ${name}, namespace: shop}
spec:
  type: email
  providers: [{name: a, type: sandbox}]
  delivery: {retryTiers: [30s]}
${fields.map((field) => `  ${field}\n`).join('')}`
}
