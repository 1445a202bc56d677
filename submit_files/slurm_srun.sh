#!/bin/bash
# SLURM, with srun as the launcher: sbatch submit_files/slurm_srun.sh program.py [arguments]
# Without a program it checks the pool. Some sites have no mpiexec, or forbid it.
#
# sbatch reads the lines that begin with #SBATCH; take one # from ##SBATCH to use it.

#SBATCH --job-name=scoop_mpi
#SBATCH --ntasks=4
#SBATCH --time=00:10:00
##SBATCH --nodes=2
##SBATCH --mem-per-cpu=2G
##SBATCH --cpus-per-task=2
##SBATCH --partition=NAME
##SBATCH --account=NAME

# ntasks: slots; one is the broker's, the others are workers.
# time: hours:minutes:seconds. cpus-per-task: more than one if your tasks use threads.

# What your site needs to find Python and MPI, like:
# module load python openmpi
# source ~/venv/bin/activate

# Since SLURM 22.05 srun does not take it over by itself.
export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"

# It adds --mpi=pmix for Open MPI, --mpi=pmi2 for MPICH. By hand, that would be
#   srun --mpi=pmix python3 -m scoop_mpi program.py
exec "${PYTHON:-python3}" -m scoop_mpi --launcher srun "$@"
