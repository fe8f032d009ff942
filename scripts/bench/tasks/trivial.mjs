// A task without any work: what remains is the system's own cost.
export default () => null
