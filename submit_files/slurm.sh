#!/bin/bash
# SLURM: sbatch submit_files/slurm.sh program.py [arguments]
# Without a program it checks the pool. If your site wants srun, take slurm_srun.sh.
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

exec "${PYTHON:-python3}" -m scoop_mpi "$@"
