/** Objects that the workers of all channels share, in the release's namespace. */
export const platformSecretName = 'carillon-worker-platform'
export const serviceAccountName = 'carillon-worker'
export const networkPolicyName = 'carillon-worker'
export const podMonitorName = 'carillon-worker'
export const triggerAuthenticationName = 'carillon-worker'
/** The Lease by which one of the operator's replicas leads. */
export const leaseName = 'carillon-operator'
