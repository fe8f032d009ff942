// Tells the VMs of the local provider where their cloud is: a folder, named by the manager's own working directory.
export const LOCAL_ROOT_VARIABLE = 'RMS_CLOUD_TASKS_LOCAL_ROOT'
